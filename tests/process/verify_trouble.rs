//! `sts-verify verify` when STS throttles, fails or closes connections, and when the program is stopped: no
//! result is lost, and none is wrong.

use crate::program::{PATIENCE, Program, Scratch, command};
use crate::stub::{Reply, Stub, identity, sts_error};
use crate::verify_program::{ACCOUNT, asked, line, lines, sandbox, users, verify, verify_with};
use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use sts_sandbox::{Behaviour, Caller, Sandbox, StsError};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_throttled_key_is_retried_until_it_has_its_verdict() {
    let users = users(120);
    let sandbox = Sandbox::builder()
        .callers(users.clone())
        .throttle_above(40)
        .keep_requests(100_000)
        .start()
        .await
        .unwrap();
    let run = verify(&[], sandbox.url(), lines(&users).as_bytes()).await;
    let sources: HashSet<_> = run.verdicts().into_iter().filter(|(_, verdict)| verdict == "valid").collect();
    assert_eq!((run.code, sources.len()), (Some(0), 120), "{}", run.stderr);
    assert!(asked(&sandbox).len() > 120, "nothing was throttled");
}

#[tokio::test]
async fn a_key_that_is_always_throttled_is_given_up_and_not_reported_as_invalid() {
    let throttled = Caller::user(ACCOUNT, "busy").behaving(Behaviour::Error(StsError::throttling()));
    let sandbox = sandbox([throttled.clone(), users(1).remove(0)]).await;
    let input = line(&throttled) + &line(&users(1)[0]);
    let run = verify(&["--give-up", "1s"], sandbox.url(), input.as_bytes()).await;
    let rows = run.rows();
    let busy = rows.iter().find(|row| row["source"] == "-:1").unwrap();
    assert_eq!(
        (busy["verdict"].as_str(), busy["error_code"].as_str()),
        (Some("indeterminate"), Some("Throttling"))
    );
    assert!(busy["attempts"].as_u64().unwrap() > 1, "{busy}");
    assert_eq!((run.code, rows.len()), (Some(2), 2));
}

#[tokio::test]
async fn every_throttling_code_is_passed_on() {
    let replies = [
        sts_error(400, "Throttling", "Rate exceeded"),
        sts_error(400, "ThrottlingException", "Rate exceeded"),
        sts_error(400, "RequestLimitExceeded", "Request limit exceeded."),
        sts_error(429, "TooManyRequestsException", "slow down"),
        sts_error(503, "SlowDown", "slow down"),
        sts_error(503, "Throttling", "Rate exceeded"),
    ];
    let mut runs = JoinSet::new();
    for reply in replies {
        runs.spawn(async move {
            // More attempts than the service would make.
            let stub =
                Stub::start(move |number, _| if number < 6 { reply.clone() } else { identity() }).await;
            verify(&[], &stub.url, line(&users(1)[0]).as_bytes()).await
        });
    }
    for run in runs.join_all().await {
        let rows = run.rows();
        assert_eq!(
            (run.code, &rows[0]["verdict"], &rows[0]["attempts"]),
            (Some(0), &"valid".into(), &7.into()),
            "{run:?}"
        );
    }
}

#[tokio::test]
async fn failures_are_retried_as_often_as_by_the_service() {
    for reply in [
        Reply::Close,
        sts_error(503, "ServiceUnavailable", "busy"),
        sts_error(500, "InternalFailure", "busy"),
    ] {
        let stub = Stub::start(move |number, _| if number < 2 { reply.clone() } else { identity() }).await;
        let run = verify(&[], &stub.url, line(&users(1)[0]).as_bytes()).await;
        let rows = run.rows();
        assert_eq!(
            (run.code, &rows[0]["verdict"], &rows[0]["attempts"]),
            (Some(0), &"valid".into(), &3.into()),
            "{run:?}"
        );
    }
    let stub = Stub::always(Reply::Close).await;
    let run = verify(&[], &stub.url, line(&users(1)[0]).as_bytes()).await;
    assert_eq!(
        (run.code, stub.count(), &run.rows()[0]["error_code"]),
        (Some(2), 5, &"ConnectionClosedError".into())
    );
}

#[tokio::test]
async fn an_sts_with_all_failures_at_once_loses_no_result() {
    let users = users(100);
    // By the number of the request: valid, throttled, failed, closed. In the end all keys are tried often
    // enough.
    let stub = Stub::start(|number, _| match number % 7 {
        0 => sts_error(400, "Throttling", "Rate exceeded"),
        1 => sts_error(503, "ServiceUnavailable", "busy"),
        2 => Reply::Close,
        3 => Reply::Last(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec()),
        _ => identity(),
    })
    .await;
    let variables = [
        ("AWS_ENDPOINT_URL_STS", stub.url.as_str()),
        ("STS_VERIFY_RETRY_BACKOFF", "1ms"),
        ("AWS_MAX_ATTEMPTS", "50"),
    ];
    let run = verify_with(&[], &variables, lines(&users).as_bytes()).await;
    let sources: HashSet<_> = run.verdicts().into_iter().collect();
    assert_eq!((run.code, sources.len()), (Some(0), 100), "{}", run.stderr);
    assert!(sources.iter().all(|(_, verdict)| verdict == "valid"));
}

#[tokio::test]
async fn the_accounts_of_keys_take_turns() {
    // Keys of two accounts, one account after the other. The account is in the ten characters after the
    // prefix.
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let key = |account: &str, last: u8| {
        Caller::role(ACCOUNT, account, char::from(last).to_string())
            .with_credentials(format!("ASIA{account}{}", char::from(last)), "secret")
    };
    let callers: Vec<_> = ["Y34FZKBOKMUTVV7", "QNZGKIQY56JQ7WM"]
        .iter()
        .flat_map(|account| BASE32.iter().map(|last| key(account, *last)))
        .collect();
    let sandbox = sandbox(callers.clone()).await;
    let run = verify(&["--concurrency", "1"], sandbox.url(), lines(&callers).as_bytes()).await;
    assert_eq!(run.rows().len(), callers.len(), "{run:?}");
    let accounts: Vec<_> = asked(&sandbox).into_iter().map(|(key, _)| key[4..8].to_owned()).collect();
    let turns = accounts.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!((accounts.len(), turns), (64, 63), "{accounts:?}");
}

#[tokio::test]
async fn rows_come_before_the_input_ends() {
    let users = users(2);
    let sandbox = sandbox(users.clone()).await;
    let variables = [("AWS_ENDPOINT_URL_STS", sandbox.url())];
    let mut child = command(&["verify"], &variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let talk = move || {
        for (number, user) in users.iter().enumerate() {
            stdin.write_all(line(user).as_bytes()).unwrap();
            let mut row = String::new();
            stdout.read_line(&mut row).unwrap();
            assert!(row.contains(&format!("\"source\":\"-:{}\"", number + 1)), "{row}");
        }
        drop(stdin);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        rest
    };
    let rest = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(talk)).await.unwrap().unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("", Some(0)));
}

#[tokio::test]
async fn an_interrupt_ends_the_list_with_the_known_results() {
    let silent = Caller::user(ACCOUNT, "silent").behaving(Behaviour::Silent);
    let sandbox = sandbox([silent.clone(), users(1).remove(0)]).await;
    let scratch = Scratch::new("verify-interrupt");
    let list = scratch.file("keys.ndjson", &(line(&silent) + &line(&users(1)[0])));
    for (signal, output, code) in
        [("INT", "ndjson", 130), ("TERM", "ndjson", 143), ("HUP", "ndjson", 129), ("INT", "sarif", 130)]
    {
        let variables = [("AWS_ENDPOINT_URL_STS", sandbox.url()), ("STS_VERIFY_ATTEMPT_TIMEOUT", "20s")];
        let program = Program::start(&mut command(&["verify", "--output", output, &list], &variables));
        program.line(|line| line.contains("keys.ndjson")).await;
        program.signal(signal);
        let end = program.end().await;
        assert_eq!(end.code, Some(code), "{end:?}");
        assert!(end.stderr.last().unwrap().starts_with("2 read, 2 distinct: 1 valid"), "{end:?}");
        if output == "sarif" {
            let sarif: serde_json::Value = serde_json::from_str(&end.stdout.join("\n")).unwrap();
            assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
            assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 1);
        } else {
            assert_eq!(end.stdout.len(), 1, "{end:?}");
        }
    }
}

#[tokio::test]
async fn ignored_signals_do_not_end_a_list() {
    let silent = Caller::user(ACCOUNT, "silent").behaving(Behaviour::Silent);
    let sandbox = sandbox([silent.clone(), users(1).remove(0)]).await;
    let scratch = Scratch::new("verify-nohup");
    let list = scratch.file("keys.ndjson", &(line(&silent) + &line(&users(1)[0])));
    for signal in ["HUP", "INT"] {
        let mut shell = std::process::Command::new("sh");
        let script = format!("trap '' {signal}; exec \"$0\" verify \"$1\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_sts-verify"), &list]).env_clear();
        shell.envs([("AWS_ENDPOINT_URL_STS", sandbox.url()), ("STS_VERIFY_ATTEMPT_TIMEOUT", "20s")]);
        let program = Program::start(&mut shell);
        program.line(|line| line.contains("keys.ndjson")).await;
        program.signal(signal);
        program.signal("TERM");
        let end = program.end().await;
        assert_eq!(end.code, Some(143), "{signal}: {end:?}");
    }
}

#[tokio::test]
async fn a_closed_output_ends_the_list() {
    let sandbox = sandbox(users(1)).await;
    let input = line(&users(1)[0]).repeat(200_000);
    let script = format!("{} verify | head -n 1", env!("CARGO_BIN_EXE_sts-verify"));
    let mut child = std::process::Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {script}")])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("AWS_ENDPOINT_URL_STS", sandbox.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).is_err());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(writer.join().unwrap(), "it read to the end for nobody");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(74), 0), "{output:?}");
}
