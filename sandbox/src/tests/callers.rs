//! The callers: their ARNs, user IDs, tokens and partitions.

use crate::Caller;

const ACCOUNT: &str = "123456789012";

#[test]
fn each_kind_of_principal_has_sts_s_arn_and_user_id() {
    let user = Caller::user(ACCOUNT, "ops/ann").with_unique_id("AIDAEXAMPLE");
    let role = Caller::role(ACCOUNT, "service/ci", "run-7").with_unique_id("AROAEXAMPLE");
    for (caller, arn, user_id) in [
        (user, "arn:aws:iam::123456789012:user/ops/ann", "AIDAEXAMPLE"),
        (role, "arn:aws:sts::123456789012:assumed-role/ci/run-7", "AROAEXAMPLE:run-7"),
        (
            Caller::federated_user(ACCOUNT, "Bob"),
            "arn:aws:sts::123456789012:federated-user/Bob",
            "123456789012:Bob",
        ),
        (Caller::root(ACCOUNT), "arn:aws:iam::123456789012:root", ACCOUNT),
    ] {
        assert_eq!((caller.arn().as_str(), caller.user_id().as_str()), (arn, user_id));
    }
}

#[test]
fn sessions_and_only_they_have_a_token() {
    for (caller, prefix) in [
        (Caller::user(ACCOUNT, "a"), "AKIA"),
        (Caller::root(ACCOUNT), "AKIA"),
        (Caller::role(ACCOUNT, "a", "s"), "ASIA"),
        (Caller::federated_user(ACCOUNT, "a"), "ASIA"),
    ] {
        assert!(caller.access_key_id.starts_with(prefix), "{caller:?}");
        assert_eq!(caller.session_token.is_some(), prefix == "ASIA", "{caller:?}");
    }
}

#[test]
fn the_partition_is_that_of_the_region() {
    let arn = |region| Caller::root(ACCOUNT).in_region(region).arn();
    assert_eq!(arn("us-gov-west-1"), "arn:aws-us-gov:iam::123456789012:root");
    assert_eq!(arn("eusc-de-east-1"), "arn:aws-eusc:iam::123456789012:root");
}
