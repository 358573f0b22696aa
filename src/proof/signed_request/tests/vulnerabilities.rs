//! Known vulnerabilities of other programs: the proofs that exploit them are rejected.

use super::*;

/// CVE-2022-2385 (aws-iam-authenticator): a parameter in two spellings, of which the check read one and STS the
/// other.
#[tokio::test]
async fn cve_2022_2385_no_parameter_has_two_spellings() {
    let good = url_with(&[]);
    for second in [
        "action=AssumeRole",
        "ACTION=GetCallerIdentity",
        "%41ction=AssumeRole",
        "x-amz-credential=x",
        "X-Amz-Signedheaders=host",
    ] {
        assert_eq!(code_of_url(&format!("{good}&{second}")).await, "InvalidParameter", "{second}");
    }
}

/// CVE-2020-16250 (Vault): a request that let the client choose STS's answer, by another action or another
/// format.
#[tokio::test]
async fn cve_2020_16250_no_other_action_and_no_other_form_of_answer() {
    assert_eq!(code_of_url(&url_with(&[("Action", "GetFederationToken")])).await, "RequestNotAllowed");
    let accept = Login::good().with(&[("Accept", json!("application/json"))]);
    let checked = accept.read().unwrap_or_else(|error| panic!("{error}")).check(&rules().await, now());
    let request = checked.unwrap_or_else(|error| panic!("{error}")).build(AUDIENCE).unwrap();
    assert!(!request.headers().contains_key("accept"), "unsigned headers are dropped");
}

/// CVE-2025-49827 and -49831 (Conjur): a host that only looks like one of STS.
#[tokio::test]
async fn cve_2025_49827_and_49831_a_host_counts_as_a_whole() {
    for authority in [
        "sts.evil.example",
        "sts.us-east-1.evil.example",
        "sts.us-east-1.amazonaws.com.evil.example",
        "sts.x%2fevil.example",
        "evil.example%23.amazonaws.com",
    ] {
        let url = url_with(&[]).replace("sts.us-east-1.amazonaws.com", authority);
        assert_eq!(code_of_url(&url).await, "EndpointNotAllowed", "{authority}");
    }
}
