//! Runs `sts-verify verify` on an input and reads its rows.

use crate::program::command;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;
use sts_sandbox::{Caller, Sandbox};

/// An account that cannot be derived from the sandbox's key IDs, because these are made up.
pub const ACCOUNT: &str = "123456789012";

/// The exit status of a run, and all its output.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn rows(&self) -> Vec<Value> {
        let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.stdout.lines().map(row).collect()
    }

    /// The verdicts by source, in the order of the sources.
    pub fn verdicts(&self) -> Vec<(String, String)> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let mut all: Vec<_> =
            self.rows().iter().map(|row| (text(row, "source"), text(row, "verdict"))).collect();
        all.sort_unstable();
        all
    }

    /// The lines about unreadable entries; the last line is the summary.
    pub fn refusals(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("sts-verify: ")).collect()
    }
}

/// Runs the program with these arguments after `verify`, and with fast retries.
pub async fn verify(arguments: &[&str], sts_url: &str, stdin: &[u8]) -> Run {
    let quick = [
        ("AWS_ENDPOINT_URL_STS", sts_url),
        ("STS_VERIFY_RETRY_BACKOFF", "1ms"),
        ("STS_VERIFY_ATTEMPT_TIMEOUT", "5s"),
    ];
    verify_with(arguments, &quick, stdin).await
}

pub async fn verify_with(arguments: &[&str], variables: &[(&str, &str)], stdin: &[u8]) -> Run {
    let mut command = command(&[&["verify"], arguments].concat(), variables);
    let input = stdin.to_vec();
    let run = move || {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that does not read standard input closes it.
        let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// A caller as a line of ndjson.
pub fn line(caller: &Caller) -> String {
    let Caller { access_key_id, secret_access_key, session_token, .. } = caller;
    let object = json!({"AccessKeyId": access_key_id, "SecretAccessKey": secret_access_key, "SessionToken": session_token});
    format!("{object}\n")
}

pub fn lines<'a>(callers: impl IntoIterator<Item = &'a Caller>) -> String {
    callers.into_iter().map(line).collect()
}

/// Users with different keys.
pub fn users(count: usize) -> Vec<Caller> {
    (0..count).map(|number| Caller::user(ACCOUNT, format!("user-{number}"))).collect()
}

pub async fn sandbox(callers: impl IntoIterator<Item = Caller>) -> Sandbox {
    Sandbox::builder().callers(callers).keep_requests(100_000).start().await.unwrap()
}

/// The access key IDs that a sandbox received, in order, with the regions of their signatures.
pub fn asked(sandbox: &Sandbox) -> Vec<(String, String)> {
    let scope = |request: &http::Request<bytes::Bytes>| {
        let header = request.headers()["authorization"].to_str().unwrap().to_owned();
        let scope = header.split_once("Credential=").unwrap().1;
        let parts: Vec<_> = scope.split('/').collect();
        (parts[0].to_owned(), parts[2].to_owned())
    };
    sandbox.requests().iter().map(scope).collect()
}
