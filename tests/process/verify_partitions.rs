//! The regions and partitions in which `sts-verify verify` tries a key.

use crate::stub::{Reply, Stub, identity, sts_error};
use crate::verify_answers::{key, row};
use crate::verify_program::{ACCOUNT, asked, line, sandbox, verify};
use sts_sandbox::{Behaviour, Caller};

#[tokio::test]
async fn a_profile_s_region_is_used_and_an_invalid_one_is_refused() {
    let user = Caller::user(ACCOUNT, "li").in_region("cn-north-1");
    let sandbox = sandbox([user.clone()]).await;
    let profile = format!(
        "[li]\naws_access_key_id={}\naws_secret_access_key={}\nregion=cn-north-1\n",
        user.access_key_id, user.secret_access_key
    );
    let run = verify(&[], sandbox.url(), profile.as_bytes()).await;
    assert_eq!((run.code, row(&run)["region"].as_str()), (Some(0), Some("cn-north-1")), "{run:?}");
    let none = line(&user).replace('{', "{\"region\":\"mars-north-1\",");
    let run = verify(&[], sandbox.url(), none.as_bytes()).await;
    assert_eq!((run.code, run.refusals()), (Some(65), vec!["sts-verify: -:1: The region is not allowed."]));
}

#[tokio::test]
async fn partitions_are_tried_in_order_while_a_key_is_unknown() {
    let china = Caller::user(ACCOUNT, "li").in_region("cn-north-1");
    let expired = Caller::role(ACCOUNT, "r", "s").behaving(Behaviour::Expired);
    let sandbox = sandbox([china.clone(), expired.clone()]).await;
    let input = line(&china) + &line(&expired) + &key("AKIANOBODYXXXXEXAMPLE");
    let run = verify(&["--partitions", "aws,aws-us-gov,aws-cn"], sandbox.url(), input.as_bytes()).await;
    let expected = [("-:1", "valid"), ("-:2", "invalid"), ("-:3", "invalid")];
    assert_eq!(run.verdicts(), expected.map(|(source, verdict)| (source.to_owned(), verdict.to_owned())));
    let regions = |id: &str| -> Vec<String> {
        asked(&sandbox).into_iter().filter(|(key, _)| key == id).map(|(_, region)| region).collect()
    };
    assert_eq!(regions(&china.access_key_id), ["us-east-1", "us-gov-west-1", "cn-northwest-1"]);
    assert_eq!(regions(&expired.access_key_id), ["us-east-1"]);
    let row = run.rows().into_iter().find(|row| row["source"] == "-:1").unwrap();
    assert_eq!((row["region"].as_str(), row["attempts"].as_u64()), (Some("cn-northwest-1"), Some(3)));
    // A key that is listed twice is verified once.
    let twice = ["--partitions", "aws,aws-cn,aws,aws-cn"];
    let run = verify(&twice, sandbox.url(), key("AKIANOBODYYYYEXAMPLE").as_bytes()).await;
    assert_eq!(regions("AKIANOBODYYYYEXAMPLE"), ["us-east-1", "cn-northwest-1"], "{run:?}");
}

#[tokio::test]
async fn one_partition_without_a_verdict_is_indeterminate_unless_the_key_is_valid_in_another() {
    let sts = async |elsewhere: Reply| {
        Stub::start(move |_, request| {
            if request.contains("/us-east-1/sts/") {
                sts_error(503, "ServiceUnavailable", "busy")
            } else {
                elsewhere.clone()
            }
        })
        .await
    };
    let unknown =
        sts_error(403, "InvalidClientTokenId", "The security token included in the request is invalid");
    for (elsewhere, verdict, code) in
        [(unknown, "indeterminate", Some("ServiceUnavailable")), (identity(), "valid", None)]
    {
        let stub = sts(elsewhere).await;
        let run =
            verify(&["--partitions", "aws,aws-cn"], &stub.url, key("AKIANOBODYXXXXEXAMPLE").as_bytes()).await;
        let row = row(&run);
        assert_eq!((row["verdict"].as_str(), row["error_code"].as_str()), (Some(verdict), code), "{run:?}");
        // Five attempts, and one.
        assert_eq!((row["attempts"].as_u64(), stub.count()), (Some(6), 6));
    }
}

#[tokio::test]
async fn a_key_that_is_unknown_in_the_region_may_be_good_elsewhere() {
    let china = Caller::user(ACCOUNT, "li").in_region("cn-north-1");
    let sandbox = sandbox([china.clone()]).await;
    let run = verify(&["--partitions", "aws,aws-us-gov"], sandbox.url(), line(&china).as_bytes()).await;
    assert_eq!((run.code, row(&run)["verdict"].as_str()), (Some(2), Some("indeterminate")), "{run:?}");
}
