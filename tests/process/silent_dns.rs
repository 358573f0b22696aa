//! A name server that never answers: each lookup blocks a thread for minutes, and the shutdown does not wait
//! for it.

use crate::helpers::someone;
use crate::program::{PATIENCE, Program, Service, command};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// The C library retries after 30 s, five times in total: longer than any test waits.
const OPTIONS: &str = "options timeout:30 attempts:5";

/// The number of Tokio's threads for blocking work.
const BLOCKING_THREADS: usize = 512;

const QUICK: [(&str, &str); 3] = [
    ("AWS_ENDPOINT_URL_STS", "http://sts.nowhere.example:8000"),
    ("STS_VERIFY_STOP_DELAY", "0s"),
    ("STS_VERIFY_DRAIN_TIMEOUT", "100ms"),
];

/// The number of name servers that this process has started.
static STARTED: AtomicU8 = AtomicU8::new(0);

/// The name server.
struct NameServer(UdpSocket);

impl NameServer {
    /// `None` if the user who runs the tests may not give a program its own /etc, which names the name
    /// server.
    async fn start() -> Option<Self> {
        let mut probe = Command::new("unshare");
        let probe =
            probe.args(["--mount", "mount", "-t", "tmpfs", "none", "/etc"]).stdin(Stdio::null()).status();
        if !probe.is_ok_and(|status| status.success()) {
            eprintln!("not run: who runs the tests may not mount a file system in a namespace");
            return None;
        }
        // The port of name servers is fixed; the address is one that no other test uses.
        let [.., high, low] = std::process::id().to_be_bytes();
        let number = 100 + STARTED.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from((Ipv4Addr::new(127, number, high, low), 53));
        Some(Self(UdpSocket::bind(address).await.unwrap()))
    }

    /// The program, which uses only this name server.
    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let program = command(arguments, variables);
        let address = self.0.local_addr().unwrap().ip();
        let script = format!(
            "mount -t tmpfs none /etc && printf '%s\\n' 'nameserver {address}' '{OPTIONS}' > /etc/resolv.conf \
             && echo 'hosts: dns' > /etc/nsswitch.conf && exec \"$@\""
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script, "sh"])
            .arg(program.get_program())
            .args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    async fn serve(&self, variables: &[(&str, &str)]) -> Service {
        let usual = [("STS_VERIFY_LISTEN", "127.0.0.1:0"), ("STS_VERIFY_LOG_FORMAT", "json")];
        Service::of(Program::start(&mut self.command(&[], &[&usual[..], &QUICK, variables].concat()))).await
    }

    /// Waits until this many lookups are in progress. Each has its own port.
    async fn was_asked(&self, count: usize) {
        let mut ports = HashSet::new();
        while ports.len() < count {
            let query = timeout(PATIENCE, self.0.recv_from(&mut [0; 512])).await;
            ports.insert(query.expect("it asks").unwrap().1.port());
        }
    }
}

#[tokio::test]
async fn a_dns_lookup_that_hangs_does_not_delay_the_shutdown() {
    for signal in ["TERM", "INT"] {
        // A new name server, because queries of the last service may still be in the queue.
        let Some(names) = NameServer::start().await else { return };
        let service = names.serve(&[]).await;
        let asking = tokio::spawn(service.request(&someone()).send());
        names.was_asked(1).await;
        service.program.signal(signal);
        let end = service.program.end().await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
        assert!(asking.await.unwrap().is_err(), "nobody answered it");
        let cut_off = end.stdout.iter().filter(|line| line.contains("\"status\":499")).count();
        assert_eq!(cut_off, 1, "its line is written: {end:#?}");
    }
}

#[tokio::test]
async fn dns_lookups_on_all_threads_delay_neither_the_shutdown_nor_the_last_traces() {
    let Some(names) = NameServer::start().await else { return };
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = format!("http://{}", collector.local_addr().unwrap());
    let variables = [
        ("STS_VERIFY_CONNECT_TIMEOUT", "50ms"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str()),
    ];
    let service = names.serve(&variables).await;
    let askers: Vec<_> = (0..64)
        .map(|number| {
            let mut body = someone();
            body["stsSecretKey"] = format!("number{number}").into();
            let request = service.request(&body);
            tokio::spawn(async move {
                while request.try_clone().unwrap().timeout(Duration::from_mins(1)).send().await.is_ok() {}
            })
        })
        .collect();
    names.was_asked(BLOCKING_THREADS).await;
    service.program.signal("TERM");
    assert_eq!(service.program.end().await.code, Some(0));
    for asker in askers {
        asker.await.unwrap();
    }
}

#[tokio::test]
async fn a_collector_without_an_address_does_not_delay_the_shutdown() {
    let Some(names) = NameServer::start().await else { return };
    let collector = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318")];
    let service = names.serve(&collector).await;
    assert_eq!(service.get("/livez").await.status(), 200);
    service.program.signal("TERM");
    names.was_asked(1).await;
    assert_eq!(service.program.end().await.code, Some(0));
}

#[tokio::test]
async fn a_check_reports_its_result_although_the_dns_lookup_hangs() {
    let Some(names) = NameServer::start().await else { return };
    let variables = [QUICK[0], ("STS_VERIFY_CONNECT_TIMEOUT", "100ms")];
    let check = Program::start(&mut names.command(&["check"], &variables));
    let end = check.end().await;
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(1), 1, 1), "{end:?}");
    assert!(end.stdout[0].contains("BAD"), "{end:?}");
    names.was_asked(1).await;
}
