//! The output formats of `sts-verify verify`, none of which contains a secret.

use crate::program::{Scratch, run};
use crate::stub::{Stub, sts_error};
use crate::verify_program::{ACCOUNT, Run, line, lines, sandbox, users, verify, verify_with};
use serde_json::Value;
use sts_sandbox::Caller;

#[tokio::test]
async fn a_table_has_a_summary_and_no_colours_where_there_is_no_terminal() {
    let users = users(3);
    let sandbox = sandbox(users.clone()).await;
    let run = verify(&["--output", "table"], sandbox.url(), lines(&users).as_bytes()).await;
    let table: Vec<_> = run.stdout.lines().collect();
    assert_eq!((run.code, table.len(), run.stderr.as_str()), (Some(0), 7, ""), "{run:?}");
    assert!(table[0].starts_with("VERDICT       KEY       ACCOUNT      PRINCIPAL OR ERROR"), "{run:?}");
    assert!(table[1..4].iter().all(|row| row.starts_with("valid         AKIA…MPLE 123456789012 user/user-")));
    assert_eq!(table[5], "3 read, 3 distinct: 3 valid, 0 invalid, 0 indeterminate, 0 skipped");
    assert!(table[6].starts_with("0 unreadable; "), "{run:?}");
    assert!(!run.stdout.contains('\x1b') && table.iter().all(|row| row.chars().count() <= 80), "{run:?}");
}

#[tokio::test]
async fn csv_and_sarif_have_the_same_content_as_ndjson() {
    let user = Caller::user(ACCOUNT, "ops/ann, the first");
    let sandbox = sandbox([user.clone()]).await;
    let scratch = Scratch::new("verify-outputs");
    let list = scratch.file("keys of ann.ndjson", &format!("\n{}", line(&user)));
    let of = async |form: &str| verify(&["--output", form, &list], sandbox.url(), b"").await.stdout;
    let row: Value = serde_json::from_str(&of("ndjson").await).unwrap();
    let csv = of("csv").await;
    let mut lines = csv.lines();
    assert_eq!(lines.next().unwrap().split(',').count(), 19);
    let record = lines.next().unwrap();
    assert!(record.contains("\"arn:aws:iam::123456789012:user/ops/ann, the first\""), "{record}");
    let sarif: Value = serde_json::from_str(&of("sarif").await).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert!(result["message"]["text"].as_str().unwrap().contains(row["arn"].as_str().unwrap()));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], 2);
    let uri = place["artifactLocation"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("file:///") && uri.ends_with("/keys%20of%20ann.ndjson"), "{uri}");
}

/// Parts of a secret in the output of a run.
fn assert_tells_nothing(run: &Run, secrets: &[&str]) {
    for secret in secrets {
        for at in 0..=secret.len() - 12 {
            let part = &secret[at..at + 12];
            assert!(!run.stdout.contains(part) && !run.stderr.contains(part), "{part}: {run:?}");
        }
    }
}

#[tokio::test]
async fn no_output_and_no_refusal_holds_a_secret() {
    const SECRET: &str = "k3Jv9QpZ+x7Tn2Wd/R5mLc8Yb1Hf6Gs4Au0EiOqV";
    const TOKEN: &str =
        "FwoGZXIvYXdzEPz//wEaDK7w2RtVnBx5yJ8hUiKqAcM3fLs9eDg6Tz1XoPmNbQvWrCjYlHkSa4GpZ0uFiEtOd";
    let echo = |_: usize, request: &str| {
        let head = request.split("\r\n\r\n").next().unwrap().replace("\r\n", " ");
        sts_error(400, "IncompleteSignature", &format!("'{head} {SECRET}' not a valid key=value pair"))
    };
    let stub = Stub::start(echo).await;
    let id = "AKIAQ7H2GOODXXEXAMPLE";
    let inputs = [
        format!("{{\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{SECRET}\",\"SessionToken\":\"{TOKEN}\"}}"),
        format!("{{\"AccessKeyId\":\"{SECRET}\",\"SecretAccessKey\":\"{TOKEN}\",\"x\":{SECRET}}}"),
        format!(
            "[{SECRET}]\naws_access_key_id={id}\naws_secret_access_key={SECRET}\naws_session_token={TOKEN}\n"
        ),
        format!("[{SECRET}\naws_secret_access_key={SECRET}\n"),
        format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={SECRET} {TOKEN}\nAWS_SESSION_TOKEN='{TOKEN}"),
        format!("Access key ID,Secret access key\n{id},{SECRET}\n{SECRET},{id}\n{id},\"{SECRET}\n"),
        format!(
            "{{\"DetectorName\":\"AWS\",\"RawV2\":\"{SECRET}:{TOKEN}\"}}\n{SECRET}\n{{\"{SECRET}\":\"{TOKEN}"
        ),
        format!("{SECRET} {TOKEN}"),
    ];
    for input in &inputs {
        for output in ["ndjson", "table", "csv", "sarif"] {
            let run = verify(&["--output", output], &stub.url, input.as_bytes()).await;
            assert_tells_nothing(&run, &[SECRET, TOKEN]);
            assert!(!run.stdout.contains(id) && !run.stderr.contains(id), "{run:?}");
        }
    }
}

#[tokio::test]
async fn a_file_s_name_moves_no_cursor() {
    let scratch = Scratch::new("verify-names");
    let name = scratch.path("a\x1b[2Jb\r\n");
    for output in ["table", "ndjson"] {
        let run = verify_with(&["--offline", "--output", output, &name], &[], b"").await;
        assert_eq!(
            (run.code, run.stderr.lines().filter(|line| line.starts_with("sts-verify: ")).count()),
            (Some(65), 1)
        );
        assert!(!run.stderr.contains('\x1b') && !run.stdout.contains('\x1b'), "{run:?}");
    }
}

#[tokio::test]
async fn completions_and_the_man_page_know_the_options() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let end = run(&["completions", shell], &[]).await;
        let script = end.stdout.join("\n");
        assert!(
            end.code == Some(0) && script.contains("ask-canaries") && script.contains("trufflehog"),
            "{shell}"
        );
    }
    assert_eq!(run(&["completions", "tcsh"], &[]).await.code, Some(64));
    for (arguments, wanted) in [(&["man"][..], "api"), (&["man", "verify"], "ask\\-canaries")] {
        let end = run(arguments, &[]).await;
        let page = end.stdout.join("\n");
        assert!(end.code == Some(0) && page.contains(".TH sts") && page.contains(wanted), "{page}");
    }
    let end = run(&["man", "nothing"], &[]).await;
    assert_eq!((end.code, end.stderr.len()), (Some(64), 1));
}

#[tokio::test]
async fn the_help_has_examples_and_exit_codes() {
    let help = run(&["verify", "--help"], &[]).await.stdout.join("\n");
    for text in [
        "trufflehog filesystem --json . | sts-verify verify",
        "130  Ctrl-C",
        "CanaryAccount",
        "--resume <FILE>",
    ] {
        assert!(help.contains(text), "{text}\n{help}");
    }
}
