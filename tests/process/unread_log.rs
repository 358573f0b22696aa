//! A log that nobody reads, or that cannot be written: everything else continues, and the process stops as
//! usual.

use crate::helpers::{body_of, caller, expected, summary};
use crate::program::{PATIENCE, Scratch, address_of, command, json, lines_of, metric_at};
use reqwest::Client;
use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Read as _, pipe};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::unix::pipe::Sender;
use tokio::time::timeout;

/// More lines than a pipe and the queue can hold together.
const TOO_MANY: usize = 10_000;

const DROPPED: &str = "sts_verify_log_lines_dropped_total";

/// A program whose outputs a test controls. It is killed on drop.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the exit code.
    async fn end(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    break status.code();
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, ended).await.expect("it ends")
    }
}

/// `serve` with a log that is read up to the line with the listen address.
fn serve_unread() -> (Process, PipeReader, SocketAddr) {
    let (mut log, stdout) = pipe().unwrap();
    let variables = [
        ("STS_VERIFY_LISTEN", "127.0.0.1:0"),
        ("STS_VERIFY_LOG_FORMAT", "json"),
        ("STS_VERIFY_STOP_DELAY", "0s"),
    ];
    let mut command = command(&["serve", "--sandbox"], &variables);
    let process = Process(command.stdin(Stdio::null()).stdout(stdout).spawn().unwrap());
    // The command has the other writing end.
    drop(command);
    let mut line = Vec::new();
    let address = loop {
        let mut byte = [0];
        log.read_exact(&mut byte).unwrap();
        if byte != *b"\n" {
            line.push(byte[0]);
        } else if let Some(address) = address_of(&String::from_utf8_lossy(&line), "listening") {
            break address;
        } else {
            line.clear();
        }
    };
    (process, log, address)
}

/// Requests /livez this many times over one connection.
async fn ask(address: SocketAddr, times: usize) {
    const REQUEST: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (mut input, mut output) = TcpStream::connect(address).await.unwrap().into_split();
    let asking = tokio::spawn(async move {
        for _ in 0..times {
            output.write_all(REQUEST).await.unwrap();
        }
        output
    });
    let (mut answers, mut bytes) = (0, Vec::new());
    while answers < times {
        let more = timeout(PATIENCE, input.read_buf(&mut bytes)).await.expect("it answers").unwrap();
        assert_ne!(more, 0, "{answers} answers");
        let whole = bytes.iter().rposition(|byte| *byte == b'\r').unwrap_or(0);
        answers += bytes
            .drain(..whole)
            .collect::<Vec<_>>()
            .windows(12)
            .filter(|text| text == b"HTTP/1.1 200")
            .count();
    }
    drop(asking.await.unwrap());
}

#[tokio::test]
async fn an_unread_log_delays_neither_answers_nor_the_shutdown() {
    for signal in ["TERM", "INT"] {
        let (mut process, log, address) = serve_unread();
        ask(address, 1000).await;
        process.signal(signal);
        assert_eq!(process.end().await, Some(0), "{signal}");
        drop(log);
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_while_nobody_reads_the_log() {
    let (mut process, _log, address) = serve_unread();
    ask(address, 1000).await;
    // The service waits 20 s for the rest of a request.
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    ask(address, 1).await;
    process.signal("TERM");
    let stopping = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(PATIENCE, stopping).await.expect("the listener is closed");
    process.signal("TERM");
    assert_eq!(process.end().await, Some(130));
}

#[tokio::test]
async fn lines_that_nobody_reads_are_dropped_and_counted_and_the_others_are_whole() {
    let (mut process, log, address) = serve_unread();
    ask(address, TOO_MANY).await;
    let dropped = metric_at(&format!("http://{address}/metrics"), DROPPED).await;
    assert!(dropped > Some(0.0), "{dropped:?}");
    let mut log = lines_of(log);
    let told = |lines: &Vec<String>| lines.iter().any(|line| line.contains("log lines were dropped"));
    timeout(PATIENCE, log.wait_for(told)).await.expect("the loss is told").unwrap();
    process.signal("TERM");
    assert_eq!(process.end().await, Some(0));
    while log.changed().await.is_ok() {}
    let log = log.borrow().clone();
    let lines: Vec<_> = log.iter().map(|line| json(line)).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string()), "lines are whole");
    let told: u64 = lines.iter().filter_map(|line| line["lines"].as_u64()).sum();
    let requests = lines.iter().filter(|line| line["message"] == "request").count() as u64;
    // The requests above, and the metrics.
    assert_eq!(requests + told, TOO_MANY as u64 + 1, "{told} are told to be lost");
}

#[tokio::test]
async fn the_remaining_lines_are_written_at_shutdown() {
    const MANY: usize = 5000;
    let (mut process, log, address) = serve_unread();
    ask(address, MANY - 1).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(idle.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
    }
    process.signal("TERM");
    // It is closed when no request is served any more.
    timeout(PATIENCE, idle.read_to_end(&mut answer)).await.expect("it is closed").unwrap();
    let mut log = lines_of(log);
    assert_eq!(process.end().await, Some(0));
    while log.changed().await.is_ok() {}
    let log: Vec<_> = log.borrow().iter().map(|line| json(line)["message"].clone()).collect();
    assert_eq!(log.iter().filter(|message| *message == "request").count(), MANY);
    assert_eq!(log.last().unwrap(), "stopped");
}

/// An output that accepts nothing, and the values that have to live as long.
struct Output(&'static str, OwnedFd, Option<PipeReader>);

/// A pipe that is already full.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let filling = Sender::from_owned_fd(writer.into()).unwrap();
    while filling.try_write(&[b'x'; 4096]).is_ok() {}
    (reader, filling.into_blocking_fd().unwrap().into())
}

fn outputs() -> Vec<Output> {
    let (unread, full) = full_pipe();
    let (other, not_blocking) = full_pipe();
    let not_blocking = Sender::from_owned_fd(not_blocking.into()).unwrap().into_nonblocking_fd().unwrap();
    let closed = pipe().unwrap().1;
    let full_disk = OpenOptions::new().write(true).open("/dev/full").unwrap();
    vec![
        Output("a pipe that nobody reads", full.into(), Some(unread)),
        Output("a pipe that does not block", not_blocking, Some(other)),
        Output("a closed pipe", closed.into(), None),
        Output("a full disk", full_disk.into(), None),
    ]
}

/// An address that no other process uses, chosen in advance because the log cannot report it.
fn address() -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    let listener = TcpListener::bind(format!("127.77.{high}.{low}:0")).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Waits until a process listens.
async fn reach(address: &str) {
    let began = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "nobody listens");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_service_whose_log_cannot_be_written_starts_serves_and_stops() {
    for Output(kind, output, reader) in outputs() {
        let address = address();
        let variables = [("STS_VERIFY_LISTEN", address.as_str()), ("STS_VERIFY_STOP_DELAY", "0s")];
        let mut command = command(&["serve", "--sandbox"], &variables);
        let mut process = Process(command.stdin(Stdio::null()).stdout(output).spawn().unwrap());
        drop(command);
        reach(&address).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let body = body_of(caller("AKIASBXUSER00EXAMPLE"));
        let answer = client.post(format!("http://{address}/verify")).json(&body).send().await.unwrap();
        assert_eq!(summary(answer).await, expected(200, "valid", ""), "{kind}");
        if reader.is_none() {
            let dropped = metric_at(&format!("http://{address}/metrics"), DROPPED).await.unwrap();
            assert!(dropped > 0.0, "{kind}");
        }
        process.signal("TERM");
        assert_eq!(process.end().await, Some(0), "{kind}");
    }
}

#[tokio::test]
async fn a_sandbox_whose_table_and_log_cannot_be_written_starts_serves_and_stops() {
    for Output(kind, output, _reader) in outputs() {
        let address = address();
        let mut command = command(&["sandbox"], &[("STS_VERIFY_SANDBOX_LISTEN", address.as_str())]);
        let mut process = Process(command.stdin(Stdio::null()).stdout(output).spawn().unwrap());
        drop(command);
        reach(&address).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let answer = client.post(format!("http://{address}/")).body("Action=GetCallerIdentity").send().await;
        assert_eq!(answer.unwrap().status(), 403, "{kind}");
        process.signal("TERM");
        assert_eq!(process.end().await, Some(0), "{kind}");
    }
}

#[tokio::test]
async fn a_start_that_fails_ends_though_its_last_line_cannot_be_written() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (variable, value, code) in [
        ("STS_VERIFY_LISTEN", "nowhere", 64),
        ("AWS_CA_BUNDLE", "/nowhere", 64),
        ("STS_VERIFY_LISTEN", &taken, 1),
    ] {
        for (stdout, stderr) in outputs().into_iter().zip(outputs()) {
            let mut command = command(&["serve"], &[(variable, value)]);
            let mut process =
                Process(command.stdin(Stdio::null()).stdout(stdout.1).stderr(stderr.1).spawn().unwrap());
            assert_eq!(process.end().await, Some(code), "{variable} {}", stderr.0);
        }
    }
}

#[tokio::test]
async fn a_log_file_at_its_limit_does_not_end_the_process() {
    let scratch = Scratch::new("log-limit");
    let (path, address) = (scratch.path("log"), address());
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 1 && exec \"$0\" serve --sandbox", env!("CARGO_BIN_EXE_sts-verify")]);
    command.env_clear().env("STS_VERIFY_LISTEN", &address).env("STS_VERIFY_STOP_DELAY", "0s");
    let mut process =
        Process(command.stdin(Stdio::null()).stdout(File::create(&path).unwrap()).spawn().unwrap());
    reach(&address).await;
    ask(address.parse().unwrap(), 10).await;
    assert!(metric_at(&format!("http://{address}/metrics"), DROPPED).await.unwrap() > 0.0);
    process.signal("TERM");
    assert_eq!(process.end().await, Some(0));
    assert!(std::fs::metadata(&path).unwrap().len() > 0, "a part of it was written");
}
