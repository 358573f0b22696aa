//! Every form of a proof, in each partition, within the output of its tool.

use super::{ROLE, USER, app_with_sandbox, post, posted, say, signer, valid};
use crate::helpers::caller;
use crate::proof_makers::{AUDIENCE, web_identity_token};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

const BINDINGS: [&str; 4] =
    ["x-sts-verify-audience", "x-vault-aws-iam-server-id", "x-consul-iam-serverid", "x-k8s-aws-id"];

/// The headers of a login as an object.
fn headers_of(login: &Value) -> Value {
    let encoded = login["iam_request_headers"].as_str().unwrap();
    serde_json::from_slice(&BASE64_STANDARD.decode(encoded).unwrap()).unwrap()
}

#[tokio::test]
async fn each_form_is_read_wherever_its_tool_puts_it() {
    let (app, sandbox) = app_with_sandbox(&[]).await;
    let eks = signer(ROLE).with_headers(&[("x-k8s-aws-id", AUDIENCE)]).eks_token();
    let url = signer(USER).url();
    let jwt = web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await;
    let login = signer(ROLE).with_headers(&[("x-vault-aws-iam-server-id", AUDIENCE)]).login();
    let headers = headers_of(&login);
    let with_headers = |headers: Value| {
        let mut login = login.clone();
        login["iam_request_headers"] = headers;
        login
    };
    let flat: Value =
        headers.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value[0].clone())).collect();
    for body in [
        json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {}, "status": {"token": eks}}),
        json!({"kind": "TokenReview", "spec": {"token": eks}}),
        json!({"kind": "TokenReview", "spec": {"token": jwt}}),
        json!({"token": eks}),
        json!({"TOKEN": jwt}),
        json!({"WebIdentityToken": jwt, "Expiration": "2026-11-26T10:00:00Z"}),
        posted(&url),
        json!({"presignedUrl": url, "presigned_url": url, "note": "the same twice"}),
        json!({"data": {"login": {"presigned_url": url}}}),
        login.clone(),
        json!({"role": "dev", "data": login}),
        with_headers(headers.clone()),
        with_headers(json!(headers.to_string())),
        with_headers(flat.clone()),
        with_headers(json!(BASE64_STANDARD.encode(flat.to_string()))),
    ] {
        assert_eq!(say(&app, &body).await, valid(), "{body}");
    }
}

#[tokio::test]
async fn each_binding_and_each_host_of_each_partition_is_accepted() {
    let (app, _) = app_with_sandbox(&[]).await;
    for (access_key_ids, hosts) in [
        (
            [USER, ROLE],
            &[
                "sts.us-east-1.amazonaws.com",
                "sts.amazonaws.com",
                "sts-fips.us-east-1.amazonaws.com",
                "sts.us-east-1.api.aws",
                "sts-fips.us-east-1.api.aws",
            ][..],
        ),
        (
            ["AKIASBXCHINA0EXAMPLE", "ASIASBXCHIROLEXAMPLE"],
            &["sts.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.api.amazonwebservices.com.cn"],
        ),
        (
            ["AKIASBXGOVUSREXAMPLE", "ASIASBXGOVROLEXAMPLE"],
            &["sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.api.aws"],
        ),
        (["AKIASBXEUSC00EXAMPLE", "ASIASBXEUSROLEXAMPLE"], &["sts.eusc-de-east-1.amazonaws.eu"]),
    ] {
        let hosts = hosts.iter().flat_map(|host| access_key_ids.map(|access_key_id| (host, access_key_id)));
        for (host, access_key_id) in hosts {
            for binding in BINDINGS {
                let signer = signer(access_key_id).at_host(host).with_headers(&[(binding, AUDIENCE)]);
                for proof in [posted(&signer.url()), signer.login()] {
                    let (said, answer) = post(&app, &proof).await;
                    assert_eq!(said, valid(), "{access_key_id} {host} {binding}: {answer}");
                    assert_eq!(answer["aws_res"]["Arn"], caller(access_key_id).arn());
                    assert_eq!(answer["aws_res"]["ResponseMetadata"]["HTTPStatusCode"], 200);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_signed_request_is_answered_as_its_credentials_would_be() {
    let (app, _) = app_with_sandbox(&["--max-attempts=1"]).await;
    for caller in sts_sandbox::table() {
        // These two callers succeed or fail depending on the number of the request or the waiting time.
        if ["AKIASBXFLAKY0EXAMPLE", "AKIASBXSILENTEXAMPLE"].contains(&caller.access_key_id.as_str()) {
            continue;
        }
        let by_credentials = post(&app, &crate::helpers::body_of(&caller)).await;
        let by_proof = post(&app, &posted(&crate::proof_makers::Signer::of(&caller).url())).await;
        // STS repeats a different text for a query than for an Authorization header.
        if caller.access_key_id != "AKIASBXMANGLEEXAMPLE" {
            assert_eq!(by_proof.0, by_credentials.0, "{}", caller.description);
        }
        assert_eq!(by_proof.1["error_code"], by_credentials.1["error_code"], "{}", caller.description);
        for member in ["UserId", "Account", "Arn"] {
            assert_eq!(by_proof.1["aws_res"][member], by_credentials.1["aws_res"][member]);
        }
    }
}
