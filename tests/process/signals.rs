//! Signals: from the first moment of the program, only the intended signals end it.

use crate::program::{PATIENCE, Program, Scratch, Service, address_of, command, json, run};
use crate::wire::Gate;
use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A digest without a key.
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef nobody\n";

/// A named pipe in place of a file: a reader blocks until another process writes to it.
fn named_pipe(scratch: &Scratch) -> String {
    let path = scratch.path("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// The pipe's writing end, once the program reads it.
async fn being_read(path: &str) -> File {
    let path = path.to_owned();
    let opening = spawn_blocking(move || File::options().write(true).open(path).unwrap());
    timeout(PATIENCE, opening).await.expect("it is read").unwrap()
}

/// A service that is starting: it reads its API keys from the pipe.
async fn starting(pipe: &str) -> (Program, File) {
    let variables = [
        ("STS_VERIFY_LISTEN", "127.0.0.1:0"),
        ("STS_VERIFY_LOG_FORMAT", "json"),
        ("STS_VERIFY_API_KEYS_FILE", pipe),
        // With one thread, anything that blocks it blocks everything.
        ("TOKIO_WORKER_THREADS", "1"),
    ];
    let program = Program::start(&mut command(&["serve"], &variables));
    let file = being_read(pipe).await;
    (program, file)
}

#[tokio::test]
async fn sighup_during_the_start_reloads_the_files_when_it_is_over() {
    let scratch = Scratch::new("hangup-at-start");
    let pipe = named_pipe(&scratch);
    let (program, mut file) = starting(&pipe).await;
    program.signal("HUP");
    file.write_all(DIGEST.as_bytes()).unwrap();
    drop(file);
    let service = Service::of(program).await;
    // It is reloaded.
    being_read(&pipe).await.write_all(format!("{DIGEST}{}", DIGEST.replace('0', "1")).as_bytes()).unwrap();
    let entries = |line: &str| json(line)["file"] == "api_keys" && json(line)["entries"] == 2;
    service.program.line(entries).await;
    assert_eq!(service.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_signal_to_stop_during_a_start_that_hangs_ends_it() {
    for signal in ["TERM", "INT"] {
        let scratch = Scratch::new(&format!("stop-at-start-{signal}"));
        let (program, _file) = starting(&named_pipe(&scratch)).await;
        program.signal(signal);
        let end = program.end().await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{signal} {end:?}");
    }
}

#[tokio::test]
async fn a_file_that_hangs_on_reload_delays_nothing() {
    let scratch = Scratch::new("hanging-reload");
    let pipe = named_pipe(&scratch);
    let (program, mut file) = starting(&pipe).await;
    file.write_all(DIGEST.as_bytes()).unwrap();
    drop(file);
    let service = Service::of(program).await;
    service.program.signal("HUP");
    let _file = being_read(&pipe).await;
    let answer = timeout(PATIENCE, service.get("/livez")).await.expect("it answers");
    assert_eq!(answer.status(), 200);
    assert_eq!(service.stop().await.code, Some(0));
}

/// Signals that a supervisor or log rotation may send to any program, and whose default action ends the
/// process.
const HARMLESS: [&str; 4] = ["HUP", "USR1", "USR2", "PIPE"];

#[tokio::test]
async fn unused_signals_do_not_affect_the_service() {
    let service = Service::with_arguments(&["serve", "--sandbox"], &[]).await;
    for signal in HARMLESS {
        service.program.signal(signal);
        assert_eq!(service.get("/readyz").await.status(), 200, "{signal}");
    }
    for signal in ["SIGUSR1", "SIGUSR2"] {
        service.program.line(|line| json(line)["signal"] == signal).await;
    }
    service.program.message("SIGHUP: there is no file to reload").await;
    assert_eq!(service.stop().await.code, Some(0));
}

#[tokio::test]
async fn unused_signals_do_not_affect_the_sandbox() {
    let variables = [("STS_VERIFY_SANDBOX_LISTEN", "127.0.0.1:0"), ("STS_VERIFY_LOG_FORMAT", "json")];
    let sandbox = Program::start(&mut command(&["sandbox"], &variables));
    let line = sandbox.line(|line| address_of(line, "sandbox listening").is_some()).await;
    let address = address_of(&line, "sandbox listening").unwrap();
    for signal in HARMLESS {
        sandbox.signal(signal);
    }
    for signal in ["SIGUSR1", "SIGUSR2"] {
        sandbox.line(|line| json(line)["signal"] == signal).await;
    }
    sandbox.message("SIGHUP: the sandbox has no file to reload").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(format!("http://{address}/")).send().await.unwrap().status(), 403);
    sandbox.signal("INT");
    assert_eq!(sandbox.end().await.code, Some(0));
}

#[tokio::test]
async fn a_signal_ends_a_short_running_command() {
    let gate = Gate::start().await;
    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        let asked = gate.asked();
        let check = Program::start(&mut command(&["check"], &[("AWS_ENDPOINT_URL_STS", &gate.url)]));
        gate.was_asked(asked + 1).await;
        check.signal(signal);
        let end = check.end().await;
        assert_eq!((end.code, end.signal), (None, Some(number)), "{end:?}");
    }
    assert_eq!(run(&["--version"], &[]).await.code, Some(0));
}
