//! The program at its limits of connections and file descriptors.

use crate::helpers::someone;
use crate::program::{End, Program, Service, address_of, command, json, metric_at, run};
use crate::stub::{Reply, Stub, identity};
use std::process::Command;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const REFUSED: &str = "too many connections: new ones are rejected";
const TOO_LOW: &str = "the limit of open files is too low for so many connections";

/// Runs the program in a shell that has set a limit.
fn limited(limit: &str, variables: &[(&str, &str)]) -> Program {
    let program = command(&[], &[]);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{limit} && exec \"$0\"")).arg(program.get_program()).env_clear();
    let usual = [("STS_VERIFY_LISTEN", "127.0.0.1:0"), ("STS_VERIFY_LOG_FORMAT", "json")];
    shell.envs(usual).envs(variables.iter().copied());
    Program::start(&mut shell)
}

async fn service(program: Program) -> Service {
    let line = program.line(|line| address_of(line, "listening").is_some()).await;
    let address = address_of(&line, "listening").unwrap();
    Service { program, address, client: reqwest::Client::builder().no_proxy().build().unwrap() }
}

fn said(end: &End, message: &str) -> usize {
    end.stdout.iter().filter(|line| json(line)["message"] == message).count()
}

/// A connection that has been answered and stays open.
async fn open(service: &Service) -> TcpStream {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn at_the_connection_limit_health_and_metrics_answer_on_their_own_listener_and_the_log_says_so_once() {
    let variables = [("STS_VERIFY_MAX_CONNECTIONS", "2"), ("STS_VERIFY_METRICS_LISTEN", "127.0.0.1:0")];
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &variables).await;
    let listening = service.program.line(|line| address_of(line, "metrics listening").is_some()).await;
    let internal = format!("http://{}", address_of(&listening, "metrics listening").unwrap());
    let mut kept = Vec::new();
    for _ in 0..6 {
        kept.push(open(&service).await);
    }
    for _ in 0..20 {
        let mut answer = String::new();
        TcpStream::connect(service.address).await.unwrap().read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            service.client.get(format!("{internal}{path}")).send().await.unwrap().status(),
            200,
            "{path}"
        );
    }
    let figure = async |name: &str| metric_at(&format!("{internal}/metrics"), name).await;
    assert_eq!(figure("http_server_active_connections").await, Some(6.0), "two, and four of this machine");
    assert_eq!(figure("http_server_refused_connections_total").await, Some(20.0));
    drop(kept);
    while figure("http_server_active_connections").await != Some(0.0) {}
    assert_eq!(service.verify_someone().await.status(), 200);
    assert_eq!(said(&service.stop().await, REFUSED), 1);
}

#[tokio::test]
async fn as_many_files_may_be_open_as_the_system_allows() {
    let hard = Command::new("sh").args(["-c", "ulimit -H -n"]).output().unwrap();
    let hard: f64 = String::from_utf8(hard.stdout).unwrap().trim().parse().expect("the machine has a limit");
    let service = service(limited("ulimit -S -n 64", &[])).await;
    assert_eq!(metric_at(&service.url("/metrics"), "process_max_fds").await, Some(hard));
}

#[tokio::test]
async fn a_limit_that_is_too_low_is_logged_once_with_the_figures() {
    let service = service(limited("ulimit -n 1000", &[("STS_VERIFY_MAX_IN_FLIGHT", "100")])).await;
    let line = service.program.message(TOO_LOW).await;
    assert_eq!((&line["level"], &line["allowed"]), (&"WARN".into(), &1000.into()), "{line}");
    assert_eq!(
        (&line["max_connections"], &line["max_sts_connections"]),
        (&8192.into(), &100.into()),
        "{line}"
    );
    assert_eq!(said(&service.stop().await, TOO_LOW), 1);
}

#[tokio::test]
async fn a_limit_that_is_enough_is_not_mentioned() {
    let enough = [("STS_VERIFY_MAX_IN_FLIGHT", "10"), ("STS_VERIFY_MAX_CONNECTIONS", "50")];
    let service = service(limited("ulimit -n 200", &enough)).await;
    assert_eq!(said(&service.stop().await, TOO_LOW), 0);
}

#[tokio::test]
async fn without_free_descriptors_the_service_continues_and_accepts_connections_later() {
    let service = service(limited("ulimit -n 40", &[])).await;
    let mut flood = Vec::new();
    for _ in 0..100 {
        // The kernel accepts them for the service, which cannot.
        flood.push(TcpStream::connect(service.address).await.unwrap());
    }
    service.program.message("connections cannot be accepted").await;
    drop(flood);
    while service.client.get(service.url("/livez")).send().await.is_err() {}
    assert_eq!(said(&service.stop().await, "connections cannot be accepted"), 1);
}

/// The growth of a process in KiB for each of 200 requests that wait for an STS that does not answer, with
/// this much unused data in the body.
async fn held_for_each(filler: usize) -> f64 {
    let stub = Stub::always(Reply::Silence).await;
    let service = Service::asking(&stub.url, &[]).await;
    let resident =
        async || metric_at(&service.url("/metrics"), "process_resident_memory_bytes").await.unwrap();
    let mut body = someone();
    body["comment"] = "x".repeat(filler).into();
    let before = resident().await;
    let calls: Vec<_> = (0..200)
        .map(|n| {
            // Identical requests would share one call.
            body["stsSessionToken"] = format!("token-{n}").into();
            tokio::spawn(service.request(&body).send())
        })
        .collect();
    while stub.count() < calls.len() {
        tokio::task::yield_now().await;
    }
    // The allocator returns freed memory to the system with a delay, so the minimum of some readings counts.
    let mut least = f64::MAX;
    for _ in 0..500 {
        least = least.min(resident().await);
    }
    assert!(calls.iter().all(|call| !call.is_finished()));
    (least - before) / 200.0 / 1024.0
}

#[tokio::test]
async fn a_request_that_waits_for_sts_does_not_hold_its_body() {
    let (small, large) = (held_for_each(0).await, held_for_each(60_000).await);
    // The rest is what the connection reads ahead, 32 KiB at most.
    assert!(large - small < 54.0, "{small:.0} KiB, and {large:.0} KiB with 59 KiB more in the body");
}

#[tokio::test]
async fn a_burst_without_a_rate_is_refused() {
    let end = run(&["--listen=127.0.0.1:0"], &[("STS_VERIFY_RATE_BURST", "5")]).await;
    assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:?}");
    assert!(
        end.stderr[0].contains("STS_VERIFY_RATE_BURST") && end.stderr[0].contains("STS_VERIFY_RATE_LIMIT")
    );
}

#[tokio::test]
async fn the_log_and_the_answer_say_that_an_answer_was_kept_and_429_is_logged() {
    let stub = Stub::always(identity()).await;
    let variables = [("STS_VERIFY_CACHE_VALID", "60s"), ("STS_VERIFY_RATE_LIMIT", "2/h")];
    let service = Service::asking(&stub.url, &variables).await;
    for status in [200, 200, 429] {
        assert_eq!(service.verify_someone().await.status(), status);
    }
    let lines = service.program.lines(3, |line| json(line)["message"] == "request").await;
    let told: Vec<_> =
        lines.iter().map(|line| (json(line)["status"].clone(), json(line)["shared"].clone())).collect();
    assert_eq!(told, [(200.into(), ().into()), (200.into(), "cache".into()), (429.into(), ().into())]);
    assert_eq!(stub.count(), 1);
}
