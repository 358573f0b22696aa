use super::*;
use proptest::prelude::*;

const BOTH: Accept = Accept { credentials: true, signed_requests: true, web_identity_tokens: true };
const TOKENS: Accept = Accept { credentials: false, signed_requests: false, web_identity_tokens: true };

fn policies(text: &str, accept: Accept) -> Result<Policies, PoliciesError> {
    Policies::from_toml(text, PolicyContext { accept })
}

fn policy(members: &str) -> Policy {
    let text = format!("[policy.p]\n{members}\n");
    policies(&text, BOTH).unwrap_or_else(|error| panic!("{error}")).get("p").unwrap().clone()
}

fn allows(policy: &Policy, arn: &str) -> bool {
    policy.allows(&Subject { arn: &CallerArn::parse(arn).unwrap(), org_id: None, org_paths: &[] })
}

#[test]
fn every_list_that_is_present_must_match() {
    let policy = policy(
        r#"accounts = ["123456789012"]
        principals = ["arn:aws:iam::*:role/ci-*", "arn:aws:iam::123456789012:user/ops/*"]"#,
    );
    for (arn, allowed) in [
        ("arn:aws:sts::123456789012:assumed-role/ci-deploy/i-1", true),
        ("arn:aws:iam::123456789012:role/ci-deploy", true),
        ("arn:aws:iam::123456789012:user/ops/ann", true),
        ("arn:aws:iam::123456789012:user/ann", false),
        ("arn:aws:sts::210987654321:assumed-role/ci-deploy/i-1", false),
        ("arn:aws:sts::123456789012:assumed-role/other/ci-1", false),
        ("arn:aws-cn:sts::123456789012:assumed-role/ci-deploy/i-1", false),
        // No wildcard extends over a colon.
        ("arn:aws:iam::123456789012:user/x:role/ci-deploy", false),
    ] {
        assert_eq!(allows(&policy, arn), allowed, "{arn}");
    }
}

#[test]
fn root_passes_only_where_it_is_allowed() {
    let root = "arn:aws:iam::123456789012:root";
    assert!(!allows(&policy(r#"accounts = ["123456789012"]"#), root));
    assert!(!allows(&policy(r#"principals = ["arn:aws:iam::123456789012:root"]"#), root));
    assert!(allows(&policy("accounts = [\"123456789012\"]\nallow_root = true"), root));
}

#[test]
fn organisations_are_matched_by_the_claims_of_a_token() {
    let arn = CallerArn::parse("arn:aws:iam::123456789012:role/ci").unwrap();
    let allows = |policy: &Policy, org_id, org_paths: &[&str]| {
        let org_paths: Vec<_> = org_paths.iter().map(|&path| path.to_owned()).collect();
        policy.allows(&Subject { arn: &arn, org_id, org_paths: &org_paths })
    };
    let by_id = policy(r#"org_ids = ["o-abc1234567"]"#);
    assert!(allows(&by_id, Some("o-abc1234567"), &[]));
    assert!(!allows(&by_id, Some("o-abc1234568"), &[]));
    assert!(!allows(&by_id, None, &[]));
    let by_path = policy(r#"org_paths = ["o-abc1234567/r-ab12/ou-ab12-11111111/*"]"#);
    let other = "o-abc1234567/r-ab12/ou-ab12-33333333/";
    assert!(allows(&by_path, None, &["o-abc1234567/r-ab12/ou-ab12-11111111/ou-ab12-22222222/"]));
    assert!(allows(&by_path, None, &[other, "o-abc1234567/r-ab12/ou-ab12-11111111/"]));
    assert!(!allows(&by_path, None, &[other]));
    assert!(!allows(&by_path, None, &[]));
}

#[test]
fn a_policy_accepts_the_kinds_of_the_service_without_credentials_by_default() {
    let all = policy(r#"accounts = ["123456789012"]"#);
    assert!(all.accepts(ProofKind::SignedRequest) && all.accepts(ProofKind::WebIdentityToken));
    assert!(!all.single_use());
    let tokens =
        policy("accounts = [\"123456789012\"]\naccept = [\"web-identity-tokens\"]\nsingle_use = true");
    assert!(!tokens.accepts(ProofKind::SignedRequest) && tokens.accepts(ProofKind::WebIdentityToken));
    assert!(tokens.single_use());
}

#[test]
fn an_error_is_reported_with_its_line() {
    let good = "[policy.a]\naccounts = [\"123456789012\"]\n";
    for (text, line, words) in [
        ("", 1, "there is no policy"),
        ("# nothing\n", 1, "there is no policy"),
        ("[policy.a]\naccounts = [", 2, ""),
        ("[policy.a]\naccounts = [\"123456789012\"]\naccount = 1\n", 3, "unknown field"),
        ("[policies.a]\naccounts = [\"123456789012\"]\n", 1, "unknown field"),
        ("[policy.a]\nallow_root = true\n", 1, "needs an entry"),
        ("[policy.a]\naccounts = []\n", 2, "must not be empty"),
        ("[policy.a]\naccounts = [123456789012]\n", 2, "invalid type"),
        ("[policy.a]\naccounts = [\n  \"123456789012\",\n  \"12345678901\",\n]\n", 4, "twelve digits"),
        ("[policy.a]\nprincipals = [\"arn:aws:iam::123456789012:group/x\"]\n", 2, "must be the ARN"),
        ("[policy.a]\nprincipals = [\"*\"]\n", 2, "must be the ARN"),
        ("[policy.a]\norg_ids = [\"abc\"]\n", 2, "organisation"),
        ("[policy.a]\norg_paths = [\"r-ab12/*\"]\n", 2, "must be a path"),
        // Any organisation in the world.
        ("[policy.a]\norg_paths = [\"*\"]\n", 2, "must be a path"),
        ("[policy.a]\norg_paths = [\"o-*/r-*/*\"]\n", 2, "must be a path"),
        ("[policy.a]\naccounts = [\"123456789012\"]\naccept = [\"credentials\"]\n", 3, "accept"),
        ("[policy.a]\naccounts = [\"123456789012\"]\naccept = [\"jwt\"]\n", 3, "accept"),
        ("[policy.a]\naccounts = [\"123456789012\"]\naccept = []\n", 3, "must not be empty"),
        ("[policy.\"a b\"]\naccounts = [\"123456789012\"]\n", 1, "a policy's name"),
        ("[policy.a]\nprincipals = [\"arn:aws:iam::*:role/ci\"]\n", 1, "wildcard for the account"),
        (
            "[policy.a]\nprincipals = [\"arn:aws:iam::12345678901?:role/ci\"]\norg_ids = [\"o-abc1234567\"]\n",
            1,
            "wildcard for the account",
        ),
    ] {
        for before in ["", good] {
            if text.trim_start_matches(['#', ' ']).starts_with("[policy") || before.is_empty() {
                let text = format!(
                    "{before}{}",
                    text.replace("policy.a]", if before.is_empty() { "policy.a]" } else { "policy.b]" })
                );
                let error = policies(&text, BOTH).err().unwrap_or_else(|| panic!("{text}"));
                assert_eq!(error.line, line + before.lines().count(), "{text}: {error}");
                assert!(error.problem.contains(words) && !error.problem.contains('\n'), "{text}: {error}");
            }
        }
    }
}

#[test]
fn a_policy_may_not_accept_more_than_the_service() {
    let text = "[policy.a]\naccounts = [\"123456789012\"]\naccept = [\"signed-requests\"]\n";
    assert_eq!(policies(text, TOKENS).err().unwrap().line, 3);
    assert!(policies(text, BOTH).is_ok());
}

#[test]
fn a_wildcard_account_is_allowed_with_accounts_or_organisations() {
    let any = "[policy.a]\nprincipals = [\"arn:aws:iam::*:role/ci\"]\n";
    let organisation = format!("{any}org_ids = [\"o-abc1234567\"]\n");
    assert!(policies(&organisation, BOTH).is_err());
    assert!(policies(&organisation, TOKENS).is_ok(), "tokens alone, by the service's setting");
    assert!(policies(&format!("{organisation}accept = [\"web-identity-tokens\"]\n"), BOTH).is_ok());
    assert!(policies(&format!("{any}accounts = [\"123456789012\"]\n"), BOTH).is_ok());
}

#[test]
fn policies_whose_role_paths_no_signed_request_can_match_are_named() {
    let role = "principals = [\"arn:aws:iam::123456789012:role/ci/*\"]\n";
    let text =
        format!("[policy.b]\n{role}[policy.a]\n{role}accept = [\"web-identity-tokens\"]\n[policy.c]\n{role}");
    assert_eq!(policies(&text, BOTH).unwrap().with_role_paths(), ["b", "c"]);
}

#[test]
fn wildcards_match_only_within_their_own_part() {
    for (pattern, arn, expected) in [
        ("arn:aws:iam::123456789012:user/a?n", "arn:aws:iam::123456789012:user/ann", true),
        ("arn:aws:iam::123456789012:user/a?n", "arn:aws:iam::123456789012:user/an", false),
        ("arn:aws*:iam::123456789012:user/ann", "arn:aws-cn:iam::123456789012:user/ann", true),
        ("arn:*:iam::*:user/*", "arn:aws:iam::123456789012:user/a:b/c", true),
        ("arn:*:*::*:*", "arn:aws:sts::123456789012:federated-user/b", true),
        ("arn:aws:iam::123456789012:user/ANN", "arn:aws:iam::123456789012:user/ann", false),
        ("arn:aws:iam::123456789012:user/*", "arn:aws:iam::123456789012:role/ann", false),
        ("arn:aws?cn:*:*:1*2*3*4*5*6*7*8*9*0*1*2:r*", "arn:aws-cn:iam::123456789012:root", true),
        ("arn:aws:*m::????????????:*a*n*", "arn:aws:iam::123456789012:user/ann", true),
        ("arn:aws:s?s::123456789012:f*/*", "arn:aws:sts::123456789012:federated-user/b", true),
    ] {
        assert_eq!(ArnPattern::parse(pattern).unwrap().matches(arn), expected, "{pattern} {arn}");
    }
    for text in [
        "",
        "arn",
        "arn:aws:iam::123456789012",
        "arn:aws:s3::123456789012:user/x",
        "arn:aws:iam::1234:user/x",
        "arn:aws:iam:us-east-1:123456789012:user/x",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:user",
        "arn:aws:sts::123456789012:assumed-role/r/s",
        "arn:aws:iam::123456789012:root/",
        "arn:aws:iam::123456789012:user/a b",
        // No principal has such an ARN.
        "arn:aws:sts::123456789012:role/ci",
        "arn:aws:sts::123456789012:user/ann",
        "arn:aws:sts::123456789012:root",
        "arn:aws:iam::123456789012:federated-user/b",
        "arn:aws:s*::123456789012:user/*",
        "arn:aws:lambda*::123456789012:user/x",
        "arn:aws:iam::123456789012:gr*/x",
        "arn:aws:iam::123456789012:use?",
        "arn:aws:iam::123456789012:user/ops/",
        "arn:aws:iam::*1234567890123:user/x",
        "arn:awsx:iam::123456789012:user/x",
        "arn:aws-:iam::123456789012:user/x",
        "arn:aws_cn:iam::123456789012:user/x",
        "arn:aws-CN:iam::123456789012:user/x",
        "arn:x*:iam::123456789012:user/x",
    ] {
        assert_eq!(ArnPattern::parse(text), Err(PatternError), "{text}");
    }
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "(\\[policy\\.[a-z]\\]\n)?(accounts|principals|org_ids|accept)? ?=? ?\\PC{0,60}") {
        if let Err(error) = policies(&text, BOTH) {
            prop_assert!(error.line >= 1);
        }
    }

    #[test]
    fn a_pattern_without_wildcards_matches_itself_alone(name in "[A-Za-z0-9_+=,.@-]{1,20}", other in "[A-Za-z0-9_+=,.@-]{1,20}") {
        let arn = format!("arn:aws:iam::123456789012:role/{name}");
        let pattern = ArnPattern::parse(&arn).unwrap();
        prop_assert!(pattern.matches(&arn));
        prop_assert_eq!(pattern.matches(&format!("arn:aws:iam::123456789012:role/{other}")), name == other);
    }
}

/// CVE-2025-11621 (Vault): a role was identified only by its name, so a role with the same name in another
/// account could pass, and a wildcard for the account let every account pass.
#[test]
fn cve_2025_11621_a_role_of_the_same_name_in_another_account_does_not_pass() {
    let other = "arn:aws:sts::210987654321:assumed-role/deploy/i-1";
    for members in [
        r#"principals = ["arn:aws:iam::123456789012:role/deploy"]"#,
        r#"principals = ["arn:aws:iam::123456789012:role/*"]"#,
        "accounts = [\"123456789012\"]\nprincipals = [\"arn:aws:iam::*:role/deploy\"]",
    ] {
        let policy = policy(members);
        assert!(allows(&policy, "arn:aws:sts::123456789012:assumed-role/deploy/i-1"), "{members}");
        assert!(!allows(&policy, other), "{members}");
    }
    for pattern in ["arn:aws:iam::*:role/deploy", "arn:aws:iam::?23456789012:role/deploy", "*"] {
        let text = format!("[policy.p]\nprincipals = [\"{pattern}\"]\n");
        assert!(policies(&text, BOTH).is_err(), "{pattern}");
    }
}
