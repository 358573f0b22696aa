//! Gates of the built program: settings that prevent the start, and the log lines of a gate's answers.

use crate::helpers::caller;
use crate::program::{Scratch, Service, json, run};
use crate::proof_makers::Signer;
use serde_json::{Map, Value};

const USER: &str = "AKIASBXUSER00EXAMPLE";

const GOOD: &str = "[policy.reports]\naccounts = [\"123456789012\"]\n";

/// A match of this length cannot be a coincidence.
const PART: usize = 12;

#[tokio::test]
async fn a_bad_policies_file_is_exit_64_and_one_line_with_the_file_and_the_line() {
    let files = Scratch::new("bad-policies");
    let anybody = "principals = [\"arn:aws:iam::*:role/ci\"]";
    for (text, line) in [
        (String::new(), 1),
        (format!("{GOOD}zqxj = 1\n"), 3),
        (format!("{GOOD}\n[policies.zqxj]\naccounts = [\"123456789012\"]\n"), 4),
        ("[policy.reports]\nallow_root = true\n".to_owned(), 1),
        (format!("{GOOD}principals = [\n  \"arn:aws:iam::123456789012:role/ok\",\n  \"zqxj\",\n]\n"), 5),
        (format!("{GOOD}accounts = [\"123456789012\"]\n"), 3),
        (format!("{GOOD}single_use = \"zqxj\"\n"), 3),
        (format!("{GOOD}accept = [\"credentials\"]\n"), 3),
        // Any AWS account could pass.
        (format!("{GOOD}[policy.open]\n{anybody}\n"), 3),
        (format!("{GOOD}[policy.open]\n{anybody}\norg_ids = [\"o-abc1234567\"]\n"), 3),
    ] {
        let file = files.file("policies.toml", &text);
        let variables = [
            ("STS_VERIFY_LISTEN", "127.0.0.1:0"),
            ("STS_VERIFY_SANDBOX", "true"),
            ("STS_VERIFY_POLICIES_FILE", file.as_str()),
        ];
        let end = run(&[], &variables).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{text}: {end:?}");
        let place = format!("STS_VERIFY_POLICIES_FILE: {file}: line {line}: ");
        assert!(end.stderr[0].contains(&place), "{text}: {end:?}");
    }
    for (file, words) in [(files.path("absent.toml"), "cannot be read"), (files.path(""), "cannot be read")] {
        let variables = [("STS_VERIFY_SANDBOX", "true"), ("STS_VERIFY_POLICIES_FILE", file.as_str())];
        let end = run(&[], &variables).await;
        assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:?}");
        assert!(end.stderr[0].contains(&file) && end.stderr[0].contains(words), "{end:?}");
    }
}

/// If every AWS account may issue tokens, a policy has to name accounts or organisations.
#[tokio::test]
async fn a_policy_for_tokens_of_every_account_has_to_name_accounts_or_organisations() {
    let files = Scratch::new("policies-of-all-issuers");
    let open = "[policy.open]\nprincipals = [\"arn:aws:iam::*:role/ci\"]\n";
    let variables = [
        ("STS_VERIFY_LISTEN", "127.0.0.1:0"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
        ("STS_VERIFY_AUDIENCE", "verify.example.com"),
        ("STS_VERIFY_TOKEN_ISSUERS", "*"),
    ];
    for (accept, more) in [
        ("web-identity-tokens", ""),
        ("signed-requests,web-identity-tokens", ""),
        ("signed-requests,web-identity-tokens", "org_ids = [\"o-abc1234567\"]\n"),
    ] {
        let file = files.file("policies.toml", &format!("{GOOD}{open}{more}"));
        let own = [("STS_VERIFY_ACCEPT", accept), ("STS_VERIFY_POLICIES_FILE", file.as_str())];
        let end = run(&[], &[&variables[..], &own].concat()).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{more}: {end:?}");
        let place = format!("STS_VERIFY_POLICIES_FILE: {file}: line 3: ");
        assert!(end.stderr[0].contains(&place), "{more}: {end:?}");
    }
    for more in ["accounts = [\"123456789012\"]\n", "org_ids = [\"o-abc1234567\"]\n"] {
        let file = files.file("policies.toml", &format!("{GOOD}{open}{more}"));
        let own = [("STS_VERIFY_ACCEPT", "web-identity-tokens"), ("STS_VERIFY_POLICIES_FILE", file.as_str())];
        Service::start(&[&variables[1..], &own].concat()).await;
    }
}

/// The fields of a line that differ each time.
fn told(line: &Value) -> Map<String, Value> {
    const SAID: [&str; 9] =
        ["method", "route", "status", "verdict", "code", "account", "policy", "proof", "shared"];
    let given = line.as_object().unwrap().iter().filter(|(name, _)| SAID.contains(&name.as_str()));
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[tokio::test]
async fn the_log_line_of_a_gate_names_the_policy_and_contains_no_part_of_the_proof() {
    let files = Scratch::new("gate-log");
    let other = "[policy.others]\naccounts = [\"210987654321\"]\n";
    let file = files.file("policies.toml", &format!("{GOOD}{other}"));
    let variables = [("STS_VERIFY_POLICIES_FILE", file.as_str()), ("STS_VERIFY_LOG", "trace")];
    let service = Service::with_arguments(&["serve", "--sandbox"], &variables).await;
    let proof = Signer::of(caller(USER)).bound_to("sandbox").eks_token();
    let expired = Signer::of(caller(USER)).bound_to("sandbox").signed(-1000).eks_token();
    let mut lines = Vec::new();
    for (path, proof) in [
        ("/auth/reports", &proof),
        ("/auth/reports/x/THE-CLIENTS-PATH", &proof),
        ("/auth/others", &proof),
        ("/auth/reports", &expired),
        ("/auth/reports", &String::new()),
        ("/auth/THE-CLIENTS-POLICY", &proof),
    ] {
        let request = service.client.get(service.url(path)).header("x-sts-verify-proof", proof);
        request.send().await.unwrap();
        let is_request = |line: &str| json(line)["message"] == "request";
        let written = service.program.lines(lines.len() + 1, is_request).await;
        lines.push(told(&json(written.last().unwrap())));
    }
    let expected = serde_json::json!([
        {"method": "GET", "route": "/auth/{*path}", "status": 200, "verdict": "valid", "account": "123456789012",
         "policy": "reports", "proof": "signed_request"},
        {"method": "GET", "route": "/auth/{*path}", "status": 200, "verdict": "valid", "account": "123456789012",
         "policy": "reports", "proof": "signed_request", "shared": "cache"},
        {"method": "GET", "route": "/auth/{*path}", "status": 403, "verdict": "valid", "code": "Forbidden",
         "account": "123456789012", "policy": "others", "proof": "signed_request", "shared": "cache"},
        {"method": "GET", "route": "/auth/{*path}", "status": 401, "verdict": "indeterminate", "code": "ProofExpired",
         "policy": "reports", "proof": "signed_request"},
        {"method": "GET", "route": "/auth/{*path}", "status": 401, "code": "Unauthorized", "policy": "reports"},
        {"method": "GET", "route": "/auth/{*path}", "status": 404, "code": "NotFound"},
    ]);
    assert_eq!(Value::Array(lines.into_iter().map(Value::Object).collect()), expected);
    let end = service.stop().await;
    for line in end.stdout.iter().chain(&end.stderr) {
        assert!(!line.contains("THE-CLIENTS"), "{line}");
        let secret = proof.trim_start_matches("k8s-aws-v1.");
        let part = (0..=secret.len() - PART).find(|&start| line.contains(&secret[start..start + PART]));
        assert_eq!(part, None, "{line}");
    }
}

#[tokio::test]
async fn a_pattern_that_no_signed_request_can_match_is_logged_once() {
    let files = Scratch::new("role-paths");
    let text = "[policy.reports]\nprincipals = [\"arn:aws:iam::123456789012:role/ci/*\"]\n";
    let file = files.file("policies.toml", text);
    let variables = [("STS_VERIFY_POLICIES_FILE", file.as_str())];
    let service = Service::with_arguments(&["serve", "--sandbox"], &variables).await;
    for _ in 0..3 {
        service.get("/auth/reports").await;
    }
    let end = service.stop().await;
    let told: Vec<_> =
        end.stdout.iter().filter(|line| json(line)["level"] == "WARN" && line.contains("reports")).collect();
    assert_eq!(told.len(), 1, "{:#?}", end.stdout);
}
