//! The input of `sts-verify verify`: every format, from files and standard input, valid and invalid.

use crate::program::Scratch;
use crate::verify_program::{ACCOUNT, asked, line, sandbox, users, verify};
use sts_sandbox::Caller;

pub fn session() -> Caller {
    Caller::role(ACCOUNT, "Role", "session")
}

fn finding(detector: &str, raw: &str) -> String {
    format!("{{\"DetectorName\":\"{detector}\",\"Raw\":\"x\",\"RawV2\":\"{raw}\"}}\n")
}

fn leak(own: &str, rest: &[&str]) -> String {
    let components: Vec<_> =
        rest.iter().map(|secret| format!("{{\"RuleID\":\"aws-part\",\"Secret\":\"{secret}\"}}")).collect();
    format!(
        "{{\"RuleID\":\"aws-secret\",\"Secret\":\"{own}\",\"RequiredSets\":[{{\"Components\":[{}]}}]}}",
        components.join(",")
    )
}

fn record(snippet: &str, variables: &str) -> String {
    format!(
        "{{\"rule\":{{\"id\":\"kingfisher.aws.2\"}},\"finding\":{{\"snippet\":\"{snippet}\",\
         \"validate_command\":\"kingfisher validate --rule 'kingfisher.aws.2' {variables} '{snippet}'\"}}}}"
    )
}

/// A format, the name of a file, its text, and the sources of its two rows.
pub type Example = (&'static str, &'static str, String, [&'static str; 2]);

/// A user and a session in each format except those of scanners.
pub fn formats() -> Vec<Example> {
    let (user, session) = (&users(1)[0], session());
    let [(id, secret), (session_id, session_secret)] =
        [user, &session].map(|caller| (&caller.access_key_id, &caller.secret_access_key));
    let token = session.session_token.as_ref().unwrap();
    vec![
        ("json", "keys.json", format!("[{},\n{}]", line(user).trim(), line(&session)), ["1", "2"]),
        ("ndjson", "keys.ndjson", line(user) + &line(&session), ["1", "2"]),
        (
            "ini",
            "credentials",
            format!(
                "[default]\naws_access_key_id={id}\naws_secret_access_key={secret}\n[ops]\naws_access_key_id={session_id}\n\
                 aws_secret_access_key={session_secret}\naws_session_token={token}\n"
            ),
            ["default", "ops"],
        ),
        (
            "env",
            ".env",
            format!(
                "export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY='{secret}'\n\n$Env:AWS_ACCESS_KEY_ID=\"{session_id}\"\n\
                 $Env:AWS_SECRET_ACCESS_KEY=\"{session_secret}\"\nset -gx AWS_SESSION_TOKEN '{token}'\n"
            ),
            ["1", "4"],
        ),
        (
            "csv",
            "keys.csv",
            format!(
                "Access key ID,Secret access key,Session token\r\n{id},{secret},\r\n{session_id},\"{session_secret}\",{token}\r\n"
            ),
            ["2", "3"],
        ),
    ]
}

/// The same in the reports of scanners.
pub fn reports() -> Vec<Example> {
    let (user, session) = (&users(1)[0], session());
    let [(id, secret), (session_id, session_secret)] =
        [user, &session].map(|caller| (&caller.access_key_id, &caller.secret_access_key));
    let token = session.session_token.as_ref().unwrap();
    vec![
        (
            "trufflehog",
            "hog.json",
            finding("AWS", &format!("{id}:{secret}"))
                + &finding("Github", "ghp_x")
                + &finding("AWSSessionKey", &format!("{session_id}:{session_secret}:{token}")),
            ["1", "3"],
        ),
        (
            "betterleaks",
            "leaks.json",
            format!("[\n{},\n{}\n]\n", leak(secret, &[id]), leak(session_secret, &[session_id, token])),
            ["2", "3"],
        ),
        (
            "kingfisher",
            "fisher.json",
            format!(
                "{{\"findings\":[\n{},\n{}],\"metadata\":{{}}}}\n",
                record(secret, &format!("--var AKID='{id}'")),
                record(
                    token,
                    &format!("--var AKID='{session_id}' --var AWS_SECRET_ACCESS_KEY='{session_secret}'")
                )
            ),
            ["2", "3"],
        ),
    ]
}

#[tokio::test]
async fn each_format_is_detected_and_can_be_named() {
    let sandbox = sandbox([users(1).remove(0), session()]).await;
    let scratch = Scratch::new("verify-formats");
    for (format, name, content, sources) in formats().into_iter().chain(reports()) {
        let file = scratch.file(name, &content);
        for arguments in [&[file.as_str()][..], &["--format", format, &file]] {
            let run = verify(arguments, sandbox.url(), b"").await;
            let expected = sources.map(|source| (format!("{file}:{source}"), "valid".to_owned()));
            assert_eq!((run.code, run.verdicts()), (Some(0), expected.to_vec()), "{format}: {run:?}");
        }
        for arguments in [&["-"][..], &[]] {
            let run = verify(arguments, sandbox.url(), content.as_bytes()).await;
            let expected = sources.map(|source| (format!("-:{source}"), "valid".to_owned()));
            assert_eq!((run.code, run.verdicts()), (Some(0), expected.to_vec()), "{format}: {run:?}");
        }
    }
}

#[tokio::test]
async fn several_files_are_one_list_and_a_missing_one_does_not_affect_the_others() {
    let sandbox = sandbox([users(1).remove(0), session()]).await;
    let scratch = Scratch::new("verify-files");
    let every = formats().into_iter().chain(reports());
    let files: Vec<_> = every.map(|(_, name, content, _)| scratch.file(name, &content)).collect();
    let missing = scratch.path("missing.csv");
    let mut arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    arguments.insert(3, &missing);
    let run = verify(&arguments, sandbox.url(), b"").await;
    assert_eq!(run.code, Some(65), "{run:?}");
    assert_eq!(
        run.refusals(),
        [format!("sts-verify: {missing}: The file cannot be read: entity not found.")]
    );
    assert_eq!(run.rows().len(), 16);
    assert!(run.rows().iter().all(|row| row["verdict"] == "valid"), "{run:?}");
    // Each of the two is verified once, wherever it is listed.
    assert_eq!(asked(&sandbox).len(), 2);
    let findings = "16 read, 2 distinct: 16 valid, 0 invalid, 0 indeterminate, 0 skipped; 1 unreadable, 1 findings of other rules;";
    assert!(run.stderr.lines().last().unwrap().starts_with(findings), "{run:?}");
}

#[tokio::test]
async fn each_unreadable_entry_is_reported_with_its_place_and_the_others_continue() {
    let sandbox = sandbox(users(1)).await;
    let good = line(&users(1)[0]);
    let secret = &users(1)[0].secret_access_key;
    let long = format!("{{\"AccessKeyId\":\"{}\"}}\n", "x".repeat(1024 * 1024));
    let cut = &good[..good.len() - 8];
    let input =
        format!("{good}{cut}\n{good}{long}{secret}\n{good}{{\"SecretAccessKey\":\"{secret}\"}}\n{cut}");
    let run = verify(&[], sandbox.url(), input.as_bytes()).await;
    let sources: Vec<_> = run.verdicts().into_iter().map(|(source, _)| source).collect();
    assert_eq!((run.code, sources), (Some(65), ["-:1", "-:3", "-:6"].map(str::to_owned).to_vec()), "{run:?}");
    assert_eq!(
        run.refusals(),
        [
            "sts-verify: -:2: The JSON object has no end.",
            "sts-verify: -:4: The entry is longer than 1 MiB.",
            "sts-verify: -:5: This is not a JSON object.",
            "sts-verify: -:7: stsAccessKey is missing or empty.",
            "sts-verify: -:8: The JSON object has no end.",
        ]
    );
    assert!(!run.stderr.contains(&secret[..12]) && !run.stdout.contains(&secret[..12]));
}

#[tokio::test]
async fn an_input_that_is_not_a_list_is_reported_in_one_line() {
    let sandbox = sandbox([]).await;
    for (input, refusals) in [
        (&b"\x7fELF\x01\0\0\0binary"[..], 1),
        (b"Dear all, the keys are in the safe.\n", 1),
        (b"", 0),
        (b"# nothing\nDATABASE_URL=postgres://x\n", 0),
    ] {
        let run = verify(&[], sandbox.url(), input).await;
        let code = if refusals > 0 { 65 } else { 0 };
        assert_eq!(
            (run.code, run.refusals().len(), run.stdout.as_str()),
            (Some(code), refusals, ""),
            "{run:?}"
        );
    }
}

#[tokio::test]
async fn a_file_in_utf_16_with_a_mark_is_read() {
    let sandbox = sandbox(users(1)).await;
    let user = &users(1)[0];
    let text = format!(
        "\u{feff}Access key ID,Secret access key\r\n{},{}\r\n",
        user.access_key_id, user.secret_access_key
    );
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let run = verify(&[], sandbox.url(), &bytes).await;
    assert_eq!(
        (run.code, run.verdicts()),
        (Some(0), vec![("-:2".to_owned(), "valid".to_owned())]),
        "{run:?}"
    );
}

#[tokio::test]
async fn proofs_cannot_be_read_without_an_audience() {
    let sandbox = sandbox([]).await;
    for proof in [r#"{"status": {"token": "k8s-aws-v1.aHR0cHM6"}}"#, r#"{"WebIdentityToken": "eyJ.e.s"}"#] {
        let run = verify(&[], sandbox.url(), proof.as_bytes()).await;
        assert_eq!(
            (run.code, run.refusals()),
            (Some(65), vec!["sts-verify: -:1: A proof needs --audience."])
        );
    }
    assert_eq!(asked(&sandbox), []);
}
