//! Each member of a policy, tested with proofs of the sandbox's callers.

use super::*;
use crate::proof_makers::web_identity_token;

const CHINA: &str = "AKIASBXCHINA0EXAMPLE";
const FEDERATED: &str = "ASIASBXFEDERAEXAMPLE";

/// The statuses for a signed request and for a token.
async fn statuses(members: &str, callers: &[&str]) -> Vec<(u16, u16)> {
    let (app, sandbox) = gates_with_sandbox(&format!("[policy.p]\n{members}\n"), &[]).await;
    let mut found = Vec::new();
    for &key in callers {
        let signed = said(ask(&app, "/auth/p", &eks(key)).await).await.0;
        let token = web_identity_token(&sandbox, caller(key), &[AUDIENCE]).await;
        found.push((signed, said(ask(&app, "/auth/p", &token).await).await.0));
    }
    found
}

#[tokio::test]
async fn every_list_in_a_policy_has_to_match() {
    let main = "accounts = [\"123456789012\"]";
    for (members, expected) in [
        (main.to_owned(), [(200, 200), (200, 200), (200, 200)]),
        (r#"accounts = ["210987654321"]"#.to_owned(), [(403, 403); 3]),
        (
            r#"principals = ["arn:aws:iam::123456789012:user/division_abc/*"]"#.to_owned(),
            [(200, 200), (403, 403), (403, 403)],
        ),
        (
            r#"principals = ["arn:aws:sts::123456789012:federated-user/B?b"]"#.to_owned(),
            [(403, 403), (403, 403), (200, 200)],
        ),
        (format!("{main}\nprincipals = [\"arn:aws:iam::*:role/*\"]"), [(403, 403), (200, 200), (403, 403)]),
        (
            "accounts = [\"210987654321\"]\nprincipals = [\"arn:aws:iam::123456789012:user/*\"]".to_owned(),
            [(403, 403); 3],
        ),
    ] {
        assert_eq!(statuses(&members, &[USER, ROLE, FEDERATED]).await, expected, "{members}");
    }
}

#[tokio::test]
async fn root_passes_where_it_is_allowed() {
    let main = "accounts = [\"123456789012\"]";
    assert_eq!(statuses(main, &[ROOT]).await, [(403, 403)]);
    assert_eq!(statuses(&format!("{main}\nallow_root = true"), &[ROOT]).await, [(200, 200)]);
}

#[tokio::test]
async fn organisations_are_matched_by_tokens_alone() {
    for (members, expected) in [
        (r#"org_ids = ["o-abc1234567"]"#, [(403, 200), (403, 200), (403, 403)]),
        (r#"org_ids = ["o-abc1234568"]"#, [(403, 403); 3]),
        (r#"org_paths = ["o-abc1234567/*"]"#, [(403, 200), (403, 200), (403, 403)]),
        (r#"org_paths = ["o-abc1234567/r-ab12/ou-ab12-11111111/*"]"#, [(403, 200), (403, 403), (403, 403)]),
    ] {
        assert_eq!(statuses(members, &[USER, ROLE, FEDERATED]).await, expected, "{members}");
    }
}

#[tokio::test]
async fn a_pattern_with_a_roles_path_is_matched_by_tokens_alone() {
    let role = "arn:aws:iam::123456789012:role";
    let members = |pattern: &str| format!("principals = [\"{role}/{pattern}\"]");
    assert_eq!(statuses(&members("service-role/SandboxRole"), &[ROLE]).await, [(403, 200)]);
    assert_eq!(statuses(&members("SandboxRole"), &[ROLE]).await, [(200, 403)]);
    assert_eq!(statuses(&members("*SandboxRole"), &[ROLE]).await, [(200, 200)]);
}

#[tokio::test]
async fn a_policy_accepts_the_kinds_that_it_names() {
    let main = "accounts = [\"123456789012\"]";
    let tokens = format!("{main}\naccept = [\"web-identity-tokens\"]");
    let signed = format!("{main}\naccept = [\"signed-requests\"]");
    assert_eq!(statuses(&tokens, &[USER]).await, [(401, 200)]);
    assert_eq!(statuses(&signed, &[USER]).await, [(200, 401)]);
    let (app, _) = gates_with_sandbox(&format!("[policy.p]\n{tokens}\n"), &[]).await;
    assert_eq!(said(ask(&app, "/auth/p", &eks(USER)).await).await, wanted(401, "ProofNotAccepted"));
}

#[tokio::test]
async fn partitions_are_distinguished() {
    let (app, _) = gates_with_sandbox("[policy.p]\naccounts = [\"111122223333\"]\n", &[]).await;
    let response = ask(&app, "/auth/p", &eks(CHINA)).await;
    assert_eq!(values(&response)[6], "aws-cn");
    assert_eq!(values(&response)[1], "arn:aws-cn:iam::111122223333:user/Li");
    let other = "[policy.p]\nprincipals = [\"arn:aws:iam::111122223333:user/Li\"]\n";
    let (app, _) = gates_with_sandbox(other, &[]).await;
    assert_eq!(said(ask(&app, "/auth/p", &eks(CHINA)).await).await, wanted(403, "Forbidden"));
}
