//! The output of `sts-verify verify`: rows, verdicts, decoys, exit codes.

use crate::program::Scratch;
use crate::verify_program::{ACCOUNT, Run, asked, line, lines, sandbox, users, verify, verify_with};
use serde_json::Value;
use std::collections::HashSet;
use sts_sandbox::{Behaviour, Caller, StsError};

/// A key of an account that is known to hold decoys (canarytokens.org).
const DECOY: &str = "AKIASP2TPHJSQH3FJRUX";
/// A key of account 609629065308.
const OTHER: &str = "ASIAY34FZKBOKMUTVV7A";

pub fn key(id: &str) -> String {
    format!("{{\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"not-a-real-secret\"}}\n")
}

pub fn row(run: &Run) -> Value {
    let mut rows = run.rows();
    assert_eq!(rows.len(), 1, "{run:?}");
    rows.remove(0)
}

#[tokio::test]
async fn a_row_has_every_member_in_its_order() {
    let ann = Caller::user(ACCOUNT, "ops/ann").with_unique_id("AIDAEXAMPLE");
    let sandbox = sandbox([ann.clone()]).await;
    let run = verify(&[], sandbox.url(), line(&ann).as_bytes()).await;
    let request_id = row(&run)["request_id"].as_str().unwrap().to_owned();
    let masked = format!("{}…MPLE", &ann.access_key_id[..4]);
    let account = row(&run)["key"]["account"].clone();
    assert_eq!(
        run.stdout.trim_end(),
        format!(
            "{{\"source\":\"-:1\",\"access_key\":\"{masked}\",\"verdict\":\"valid\",\"account\":\"{ACCOUNT}\",\
             \"arn\":\"arn:aws:iam::{ACCOUNT}:user/ops/ann\",\"user_id\":\"AIDAEXAMPLE\",\
             \"principal\":{{\"partition\":\"aws\",\"type\":\"user\",\"path\":\"/ops/\",\"name\":\"ann\",\"session\":null}},\
             \"key\":{{\"kind\":\"long-term\",\"account\":{account},\"canary\":false}},\
             \"error_code\":null,\"error_message\":null,\"region\":\"us-east-1\",\"request_id\":\"{request_id}\",\"attempts\":1}}"
        )
    );
}

#[tokio::test]
async fn every_row_of_the_sandbox_s_table_has_its_verdict() {
    let table = sts_sandbox::table();
    let sandbox = sandbox(table.clone()).await;
    let input: String = table
        .iter()
        .map(|caller| line(caller).replace('{', &format!("{{\"region\":\"{}\",", caller.region)))
        .collect();
    let quick = [
        ("AWS_ENDPOINT_URL_STS", sandbox.url()),
        ("STS_VERIFY_RETRY_BACKOFF", "1ms"),
        ("AWS_MAX_ATTEMPTS", "3"),
    ];
    let run = verify_with(&["--give-up", "1s"], &quick, input.as_bytes()).await;
    assert_eq!(run.code, Some(2), "{run:?}");
    for (number, caller) in table.iter().enumerate() {
        let source = format!("-:{}", number + 1);
        let row = run.rows().into_iter().find(|row| row["source"] == *source).expect("nothing is lost");
        let what = caller.description.as_str();
        let code = what.split([':', ',']).next().unwrap();
        let expected = match code {
            "InvalidClientTokenId without a dot" => ("indeterminate", Some("InvalidClientTokenId")),
            "InvalidClientTokenId" | "ExpiredToken" => ("invalid", Some(code)),
            "the connection closed without an answer" => ("indeterminate", Some("ConnectionClosedError")),
            "never an answer" => ("indeterminate", Some("ReadTimeoutError")),
            "503 with an empty body" => ("indeterminate", Some("503")),
            "200 with HTML" | "200 whose XML stops in the middle" => {
                ("indeterminate", Some("ResponseParserError"))
            }
            code if code.starts_with(char::is_uppercase) => ("indeterminate", Some(code)),
            _ => ("valid", None),
        };
        let told = (row["verdict"].as_str().unwrap(), row["error_code"].as_str());
        assert_eq!(told, expected, "{what}: {row}");
    }
}

#[tokio::test]
async fn a_repeated_key_is_verified_once_and_all_its_entries_get_the_verdict() {
    let users = users(3);
    let sandbox = sandbox(users.clone()).await;
    let input = lines(&users).repeat(50);
    let run = verify(&[], sandbox.url(), input.as_bytes()).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let sources: HashSet<_> = run.rows().iter().map(|row| row["source"].to_string()).collect();
    assert_eq!((sources.len(), asked(&sandbox).len()), (150, 3));
    assert!(run.stderr.starts_with("150 read, 3 distinct: 150 valid"), "{run:?}");
}

#[tokio::test]
async fn another_secret_or_region_is_not_coalesced() {
    let user = &users(1)[0];
    let sandbox = sandbox([user.clone()]).await;
    let elsewhere = line(user).replace('{', "{\"region\":\"eu-west-1\",");
    let wrong = line(user).replace(&user.secret_access_key, "another-secret");
    // One at a time: STS may remember a wrong secret.
    let run =
        verify(&["--concurrency", "1"], sandbox.url(), (line(user) + &elsewhere + &wrong).as_bytes()).await;
    let verdicts: Vec<_> = run.verdicts().into_iter().map(|(_, verdict)| verdict).collect();
    assert_eq!(verdicts, ["valid", "valid", "invalid"], "{run:?}");
    let regions: HashSet<_> = asked(&sandbox).into_iter().map(|(_, region)| region).collect();
    assert_eq!(regions, HashSet::from(["us-east-1".to_owned(), "eu-west-1".to_owned()]));
}

#[tokio::test]
async fn decoys_are_skipped_unless_requested() {
    let sandbox = sandbox([]).await;
    let scratch = Scratch::new("verify-decoys");
    let accounts = scratch.file("accounts", "# ours\n609629065308\n");
    let input = key(DECOY) + &key(OTHER);
    for (arguments, skipped, asked_about) in [
        (&[][..], &[true, false][..], 1),
        (&["--canaries", &accounts], &[true, true], 0),
        (&["--canaries", &accounts, "--ask-canaries"], &[false, false], 2),
    ] {
        let before = asked(&sandbox).len();
        let run = verify(arguments, sandbox.url(), input.as_bytes()).await;
        let mut rows = run.rows();
        rows.sort_by_key(|row| row["source"].to_string());
        let told: Vec<_> = rows
            .iter()
            .map(|row| row["error_code"] == "CanaryAccount" && row["verdict"] == "skipped")
            .collect();
        assert_eq!((run.code, told.as_slice()), (Some(0), skipped), "{arguments:?}: {run:?}");
        assert_eq!(asked(&sandbox).len() - before, asked_about, "{arguments:?}");
        assert_eq!(
            (&rows[0]["key"]["canary"], &rows[0]["key"]["account"]),
            (&true.into(), &"171436882533".into())
        );
    }
    // Whether its region is allowed does not matter either.
    let elsewhere = key(DECOY).replace("}\n", ",\"region\":\"eu-west-3\"}\n");
    let run = verify(&["--allowed-regions", "us-east-1"], sandbox.url(), elsewhere.as_bytes()).await;
    assert_eq!((run.code, &row(&run)["error_code"]), (Some(0), &"CanaryAccount".into()), "{run:?}");
}

#[tokio::test]
async fn an_endpoint_flag_is_used_whatever_is_ignored() {
    let (flag, variable, proxy) = (sandbox(users(1)).await, sandbox([]).await, sandbox([]).await);
    let variables = [
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_ENDPOINT_URL_STS", variable.url()),
        // This would be sent to AWS.
        ("HTTPS_PROXY", proxy.url()),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    for name in ["--endpoint-url-sts", "--endpoint-url"] {
        let caller = &users(1)[0];
        let run = verify_with(&[name, flag.url()], &variables, line(caller).as_bytes()).await;
        assert_eq!(row(&run)["verdict"], "valid", "{name}: {run:?}");
    }
    assert_eq!((variable.requests().len(), proxy.requests().len()), (0, 0));
}

#[tokio::test]
async fn offline_sends_nothing_and_needs_no_network() {
    let sandbox = sandbox([]).await;
    let input = key(DECOY) + &key(OTHER) + &key("AKIAIOSFODNN7EXAMPLE");
    let no_roots = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    for variables in [&[("AWS_ENDPOINT_URL_STS", sandbox.url())][..], &no_roots] {
        let run = verify_with(&["--offline"], variables, input.as_bytes()).await;
        let codes: Vec<_> =
            run.rows().iter().map(|row| row["error_code"].as_str().unwrap().to_owned()).collect();
        assert_eq!(
            (run.code, codes.as_slice()),
            (Some(0), &["CanaryAccount", "Offline", "Offline"].map(str::to_owned)[..])
        );
        let accounts: Vec<_> = run.rows().iter().map(|row| row["key"]["account"].clone()).collect();
        assert_eq!(accounts, ["171436882533".into(), "609629065308".into(), Value::Null]);
        assert!(run.rows().iter().all(|row| row["verdict"] == "skipped" && row["attempts"] == 0));
    }
    assert_eq!(asked(&sandbox), []);
}

#[tokio::test]
async fn the_exit_code_reports_the_most_severe_result() {
    let busy = Caller::user(ACCOUNT, "busy").behaving(Behaviour::Error(StsError::new(
        500,
        "InternalFailure",
        "busy",
    )));
    let sandbox = sandbox([users(1).remove(0), busy.clone()]).await;
    let (good, bad, unknown, broken) =
        (line(&users(1)[0]), key("AKIANOBODYXXXXEXAMPLE"), line(&busy), "{\n".to_owned());
    for (input, plain, strict) in [
        (good.clone() + &bad, 0, 1),
        (bad.clone(), 0, 0),
        (unknown.clone() + &bad, 2, 2),
        (unknown.clone() + &good, 2, 1),
        (unknown.clone() + &bad + &broken, 65, 65),
        (good + &unknown + &broken, 65, 1),
        (String::new(), 0, 0),
    ] {
        let run = verify(&[], sandbox.url(), input.as_bytes()).await;
        assert_eq!(run.code, Some(plain), "{input}: {run:?}");
        let run = verify(&["--fail-on", "valid"], sandbox.url(), input.as_bytes()).await;
        assert_eq!(run.code, Some(strict), "{input}: {run:?}");
    }
}

#[tokio::test]
async fn an_invalid_option_is_reported_in_one_line_without_a_call_to_sts() {
    let sandbox = sandbox([]).await;
    let scratch = Scratch::new("verify-options");
    let no_accounts = scratch.file("accounts", "123\n");
    for arguments in [
        &["--rate", "50"][..],
        &["--rate", "0/s"],
        &["--concurrency", "0"],
        &["--partitions", "aws,moon"],
        &["--give-up", "soon"],
        &["--format", "yaml"],
        &["--output", "xml"],
        &["--fail-on", "invalid"],
        &["--canaries", "/nonexistent"],
        &["--canaries", &no_accounts],
        &["--resume", "/nonexistent"],
        &["--partitions", "aws-cn", "--allowed-regions", "eu-west-1"],
        &["--nonsense"],
    ] {
        let run = verify(arguments, sandbox.url(), key("AKIANOBODYXXXXEXAMPLE").as_bytes()).await;
        assert_eq!(
            (run.code, run.stderr.lines().count(), run.stdout.as_str()),
            (Some(64), 1, ""),
            "{arguments:?}: {run:?}"
        );
        // The line names the option, unless it is unknown: it might be a secret.
        let is_known = arguments != ["--nonsense"];
        assert_eq!(run.stderr.contains(arguments[0]), is_known, "{arguments:?}: {run:?}");
    }
    assert_eq!(asked(&sandbox), []);
}
