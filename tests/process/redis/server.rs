//! A Redis server for one test.

use crate::program::{Lines, PATIENCE, Scratch, lines_of};
use crate::wire::Authority;
use prometheus_client::metrics::gauge::Gauge;
use redis::{FromRedisValue, cmd};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use sts_verify::proof::replay::ReplayStore;
use sts_verify::store::{Redis, RedisServer, RedisUrl};
use tokio::time::{sleep, timeout};

/// The interval at which a condition is polled.
const PAUSE: Duration = Duration::from_millis(20);

/// A running redis-server on a free loopback port. It is killed on drop.
pub struct RedisProcess {
    child: Child,
    pub port: u16,
    arguments: Vec<String>,
    _folder: Arc<Scratch>,
}

impl RedisProcess {
    pub async fn start(arguments: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let folder = Arc::new(Scratch::new(&format!("redis-{}", STARTED.fetch_add(1, Ordering::Relaxed))));
        let directory = folder.path("");
        let usual = ["--bind", "127.0.0.1", "--save", "", "--loglevel", "notice", "--dir", &directory];
        let arguments: Vec<String> = usual.iter().chain(arguments).map(ToString::to_string).collect();
        // Another process may take the port before Redis does.
        for _ in 0..20 {
            let port = free_port();
            if let Some(child) = run(&arguments, port).await {
                return Self { child, port, arguments, _folder: folder };
            }
        }
        panic!("redis-server does not start")
    }

    /// A server that only speaks TLS, with a certificate for these names.
    pub async fn with_tls(authority: &Authority, names: &[&str]) -> Self {
        let (pair, files) = (authority.pair(names), Scratch::new("redis-tls"));
        let (certificate, key) =
            (files.file("cert.pem", &pair.certificate), files.file("key.pem", &pair.key));
        // Its files have been read when it has started.
        Self::with_files(&certificate, &key, &authority.bundle).await
    }

    /// The same with these files, which it reads whenever it starts.
    pub async fn with_files(certificate: &str, key: &str, bundle: &str) -> Self {
        let tls = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"];
        Self::start(&[&tls[..], &["--tls-ca-cert-file", bundle, "--tls-port", "PORT"]].concat()).await
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The answer to a command.
    pub fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let mut asked = cmd(command[0]);
        asked.arg(&command[1..]).query(&mut connection).unwrap()
    }

    /// The only key with this prefix.
    pub fn key(&self, prefix: &str) -> String {
        let mut keys: Vec<String> = self.ask(&["KEYS", &format!("{prefix}*")]);
        assert_eq!(keys.len(), 1, "{keys:?}");
        keys.remove(0)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Restarts it on the same port, without data.
    pub async fn start_again(&mut self) {
        let again = timeout(PATIENCE, async {
            loop {
                match run(&self.arguments, self.port).await {
                    Some(child) => return child,
                    None => sleep(PAUSE).await,
                }
            }
        });
        self.child = again.await.expect("its port is free again");
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        // It may have exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `None` if the port is in use.
async fn run(arguments: &[String], port: u16) -> Option<Child> {
    let port = port.to_string();
    let encrypted = arguments.iter().any(|argument| argument == "PORT");
    let plain = if encrypted { "0" } else { &port };
    let arguments = arguments.iter().map(|argument| if argument == "PORT" { &port } else { argument });
    let mut command = Command::new("redis-server");
    command.args(["--port", plain]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("redis-server cannot be run: {error}. It is in Debian's package redis-server")
    });
    let mut lines: Lines = lines_of(child.stdout.take().unwrap());
    let is_ready =
        |lines: &Vec<String>| lines.iter().any(|line| line.contains("Ready to accept connections"));
    let ready = timeout(PATIENCE, lines.wait_for(is_ready)).await.expect("it starts or ends").is_ok();
    if !ready {
        child.wait().unwrap();
    }
    ready.then_some(child)
}

/// The store of one replica.
pub fn store(url: &str) -> ReplayStore {
    let server = RedisServer::new(RedisUrl::parse(url).unwrap(), None).unwrap();
    let redis = Redis::start(server, Arc::new(|_, _| {}));
    ReplayStore::new(Some(redis), Gauge::default())
}

/// Waits until a condition is true.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let waited = timeout(PATIENCE, async {
        while !is_so().await {
            sleep(PAUSE).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}
