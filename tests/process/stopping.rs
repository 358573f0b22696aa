//! Shutdown of the process: what it still does, what it does not wait for, and how it exits.

use crate::helpers::{expected, someone, summary};
use crate::program::{PATIENCE, Service, run};
use crate::stub::{Stub, identity};
use crate::wire::Gate;
use reqwest::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Longer than the time limit of a test, so this setting cannot have ended anything in a test.
const LONG: &str = "1h";

/// Sends a request in the background.
fn ask(service: &Service) -> JoinHandle<reqwest::Result<Response>> {
    tokio::spawn(service.request(&someone()).send())
}

/// Sends something on a new connection, and returns when the service has accepted it.
async fn connect(service: &Service, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    // Connections are accepted in order.
    assert_eq!(service.client.get(service.url("/livez")).send().await.unwrap().status(), 200);
    stream
}

#[tokio::test]
async fn after_sigterm_everything_is_served_but_readiness_fails() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[("STS_VERIFY_STOP_DELAY", LONG)]).await;
    for path in ["/livez", "/readyz", "/healthz", "/health"] {
        assert_eq!(service.get(path).await.status(), 200, "{path}");
    }
    service.program.signal("TERM");
    service.program.message("stopping").await;
    for (path, status) in [("/livez", 200), ("/readyz", 503), ("/healthz", 503), ("/health", 503)] {
        assert_eq!(service.get(path).await.status(), status, "{path}");
    }
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    // A container that is stopping is still healthy.
    let listen = service.address.to_string();
    assert_eq!(run(&["healthcheck"], &[("STS_VERIFY_LISTEN", &listen)]).await.code, Some(0));
}

#[tokio::test]
async fn a_request_in_flight_gets_its_answer_and_the_exit_code_is_0() {
    let gate = Gate::start().await;
    let service = Service::asking(&gate.url, &[("STS_VERIFY_STOP_DELAY", "300ms")]).await;
    let answer = ask(&service);
    gate.was_asked(1).await;
    service.program.signal("TERM");
    service.program.message("draining").await;
    gate.open();
    assert_eq!(summary(answer.await.unwrap().unwrap()).await, expected(200, "valid", ""));
    let end = service.program.end().await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
    assert!(end.stdout.last().unwrap().contains("\"stopped\""), "{end:?}");
}

#[tokio::test]
async fn sigint_skips_the_delay() {
    let gate = Gate::start().await;
    let service = Service::asking(&gate.url, &[("STS_VERIFY_STOP_DELAY", LONG)]).await;
    let answer = ask(&service);
    gate.was_asked(1).await;
    service.program.signal("INT");
    service.program.message("draining").await;
    gate.open();
    assert_eq!(summary(answer.await.unwrap().unwrap()).await, expected(200, "valid", ""));
    assert_eq!(service.program.end().await.code, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_process_while_a_request_hangs() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT"), ("INT", "TERM")] {
        let gate = Gate::start().await;
        let times = [("STS_VERIFY_STOP_DELAY", LONG), ("STS_VERIFY_DRAIN_TIMEOUT", LONG)];
        let service = Service::asking(&gate.url, &times).await;
        let answer = ask(&service);
        gate.was_asked(1).await;
        service.program.signal(first);
        service.program.message("stopping").await;
        service.program.signal(second);
        assert_eq!(service.program.end().await.code, Some(130), "{first} {second}");
        assert!(answer.await.unwrap().is_err(), "nobody answered it");
    }
}

#[tokio::test]
async fn clients_that_sent_half_a_request_do_not_delay_the_shutdown() {
    let halves = [
        "POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Ty",
        "POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"sts",
        "POS",
        "",
    ];
    for half in halves {
        let stub = Stub::always(identity()).await;
        let times = [("STS_VERIFY_DRAIN_TIMEOUT", "200ms"), ("STS_VERIFY_READ_TIMEOUT", LONG)];
        let service = Service::asking(&stub.url, &times).await;
        let stream = connect(&service, half).await;
        service.program.signal("INT");
        assert_eq!(service.program.end().await.code, Some(0), "{half:?}");
        drop(stream);
    }
}

#[tokio::test]
async fn a_hanging_request_ends_with_the_drain_timeout() {
    let gate = Gate::start().await;
    let times = [
        ("STS_VERIFY_DRAIN_TIMEOUT", "200ms"),
        ("STS_VERIFY_DEADLINE", LONG),
        ("STS_VERIFY_ATTEMPT_TIMEOUT", LONG),
    ];
    let service = Service::asking(&gate.url, &times).await;
    let answer = ask(&service);
    gate.was_asked(1).await;
    service.program.signal("INT");
    let end = service.program.end().await;
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(answer.await.unwrap().is_err(), "nobody answered it");
    let cut_off = end.stdout.iter().filter(|line| line.contains("\"status\":499")).count();
    assert_eq!(cut_off, 1, "its line is written: {:#?}", end.stdout);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_stop() {
    let stub = Stub::always(identity()).await;
    let times = [("STS_VERIFY_DRAIN_TIMEOUT", LONG), ("STS_VERIFY_KEEP_ALIVE", LONG)];
    let service = Service::asking(&stub.url, &times).await;
    let mut stream = connect(&service, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
    }
    service.program.signal("INT");
    assert_eq!(service.program.end().await.code, Some(0));
    let rest = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer)).await;
    assert_eq!(rest.unwrap().unwrap(), 0, "the connection is closed");
}

#[tokio::test]
async fn a_stop_delay_and_a_drain_timeout_of_zero_are_accepted() {
    let stub = Stub::always(identity()).await;
    let times = [("STS_VERIFY_STOP_DELAY", "0s"), ("STS_VERIFY_DRAIN_TIMEOUT", "0s")];
    let service = Service::asking(&stub.url, &times).await;
    let stream = connect(&service, "POST /ver").await;
    service.program.signal("TERM");
    assert_eq!(service.program.end().await.code, Some(0));
    drop(stream);
}
