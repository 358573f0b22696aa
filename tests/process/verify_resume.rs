//! `sts-verify verify --resume`: keys that an earlier output contains are skipped.

use crate::program::{Scratch, command};
use crate::verify_program::{asked, lines, sandbox, users, verify};
use std::fs::{OpenOptions, read_to_string};
use std::process::Stdio;

/// A key of an account that is known to hold decoys (canarytokens.org).
const DECOY: &str = "AKIASP2TPHJSQH3FJRUX";

fn key(id: &str) -> String {
    format!("{{\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"not-a-real-secret\"}}\n")
}

#[tokio::test]
async fn valid_keys_and_decoys_of_an_earlier_output_are_skipped() {
    let users = users(3);
    let wrong = users[2].clone().with_credentials(&users[2].access_key_id, "wrong");
    let sandbox = sandbox(users.clone()).await;
    let scratch = Scratch::new("verify-resume");
    let list =
        scratch.file("keys.ndjson", &(lines(&[users[0].clone(), users[1].clone(), wrong]) + &key(DECOY)));
    let first = verify(&[&list], sandbox.url(), b"").await;
    assert_eq!((first.rows().len(), asked(&sandbox).len()), (4, 3), "{first:?}");
    // The last line is truncated, whichever it is.
    let mut rows: Vec<&str> = first.stdout.lines().collect();
    rows.sort_by_key(|row| row.contains("keys.ndjson:2\""));
    let cut = rows.join("\n");
    let done = scratch.file("done.ndjson", &cut[..cut.len() - 20]);
    scratch.file("keys.ndjson", &(lines(&users) + &key(DECOY)));
    let second = verify(&["--resume", &done, "--fail-on", "valid", &list], sandbox.url(), b"").await;
    let sources: Vec<_> = second.verdicts();
    let expected = [2, 3].map(|line| (format!("{list}:{line}"), "valid".to_owned()));
    assert_eq!((second.code, sources), (Some(1), expected.to_vec()), "{second:?}");
    assert!(second.stderr.contains("2 answered before"), "{second:?}");
    let absent = verify(&["--resume", &scratch.path("absent"), &list], sandbox.url(), b"").await;
    assert_eq!((absent.code, absent.stdout.as_str()), (Some(64), ""));
}

#[tokio::test]
async fn a_valid_key_that_was_found_before_also_fails_the_build() {
    let users = users(1);
    let sandbox = sandbox(users.clone()).await;
    let scratch = Scratch::new("verify-resume-valid");
    let list = scratch.file("keys.ndjson", &lines(&users));
    let done = scratch.file("done.ndjson", &verify(&[&list], sandbox.url(), b"").await.stdout);
    for (fail_on, code) in [(&["--fail-on", "valid"][..], 1), (&[], 0)] {
        let run = verify(&[&["--resume", &done, &list], fail_on].concat(), sandbox.url(), b"").await;
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{run:?}");
    }
    assert_eq!(asked(&sandbox).len(), 1);
}

#[tokio::test]
async fn an_output_that_goes_on_in_the_same_file_keeps_its_lines_apart() {
    let users = users(3);
    let sandbox = sandbox(users.clone()).await;
    let scratch = Scratch::new("verify-resume-append");
    let list = scratch.file("keys.ndjson", &lines(&users));
    let whole = verify(&[&list], sandbox.url(), b"").await.stdout;
    for (cut, added) in [(20, 1), (0, 0)] {
        let done = scratch.file("done.ndjson", &whole[..whole.len() - cut]);
        let appended = OpenOptions::new().append(true).open(&done).unwrap();
        let mut command = command(
            &["verify", "--output", "ndjson", "--resume", &done, &list],
            &[("AWS_ENDPOINT_URL_STS", sandbox.url())],
        );
        let run =
            move || command.stdin(Stdio::null()).stdout(appended).stderr(Stdio::null()).status().unwrap();
        assert!(tokio::task::spawn_blocking(run).await.unwrap().success());
        let text = read_to_string(&done).unwrap();
        let rows =
            text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
        assert_eq!((rows, text.lines().count()), (3, 3 + added), "{text}");
    }
}
