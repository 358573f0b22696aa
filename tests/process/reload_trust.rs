//! CA certificates that change while the program runs: the bundles for STS, for Redis and for the collector of
//! traces, and those of the system. New connections use the new certificates; open ones continue.

use crate::collector::Collector;
use crate::helpers::{expected, summary, value_in};
use crate::program::{Scratch, Service};
use crate::redis::server::{RedisProcess, until};
use crate::reload::{Mounted, lines};
use crate::stub::{Stub, identity};
use crate::wire::{Authority, tls};
use std::fs;

fn pem(authority: &Authority) -> String {
    fs::read_to_string(&authority.bundle).unwrap()
}

/// STS's CA is added to the file or folder that this variable names.
async fn sts_comes_to_be_trusted(variable: &str, is_folder: bool) {
    let names = [variable, "-of-sts", "-of-others"];
    let (stub, authority, other) = (
        Stub::always(identity()).await,
        Authority::new(&names[..2].concat()),
        Authority::new(&[variable, names[2]].concat()),
    );
    let front = tls(&authority, &["127.0.0.1"], &stub.url).await;
    let mounted = Mounted::new(&format!("{variable}-changes"), &[("ca.pem", &pem(&other))]);
    let file = if is_folder { mounted.path("..data") } else { mounted.path("ca.pem") };
    let service = Service::asking(&format!("https://{}", front.address), &[(variable, file.as_str())]).await;
    let before = summary(service.verify_someone().await).await;
    assert_eq!(before, expected(502, "indeterminate", "EndpointConnectionError"), "{variable}");
    mounted.swap("day-1", &[("ca.pem", &pem(&authority))]);
    lines(&service, 1, "reloaded", "ca_bundle").await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""), "{variable}");
}

#[tokio::test]
async fn a_ca_bundle_is_taken_over() {
    sts_comes_to_be_trusted("AWS_CA_BUNDLE", false).await;
}

#[tokio::test]
async fn the_system_s_certificates_are_taken_over_where_a_variable_names_them() {
    tokio::join!(
        sts_comes_to_be_trusted("SSL_CERT_FILE", false),
        sts_comes_to_be_trusted("SSL_CERT_DIR", true)
    );
}

#[tokio::test]
async fn a_cut_file_of_the_system_s_leaves_those_before_in_use() {
    let (stub, authority, other) =
        (Stub::always(identity()).await, Authority::new("cut-system"), Authority::new("cut-system-other"));
    let front = tls(&authority, &["127.0.0.1"], &stub.url).await;
    let files = Scratch::new("cut-system-file");
    let file = files.file("ca.pem", &pem(&authority));
    let endpoint = format!("https://{}", front.address);
    let service = Service::asking(&endpoint, &[("SSL_CERT_FILE", file.as_str())]).await;
    let whole = format!("{}{}", pem(&other), pem(&authority));
    files.file("ca.pem", &whole[..whole.len() - 40]);
    let line = lines(&service, 1, "not reloaded", "ca_bundle").await.concat();
    assert!(line.contains("SSL_CERT_FILE"), "{line}");
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
}

/// A Redis that starts with this certificate, and the service's second, third … connection to it.
struct Renewed {
    redis: RedisProcess,
    files: Scratch,
    connections: usize,
}

impl Renewed {
    async fn start(authority: &Authority) -> Self {
        let files = Scratch::new("redis-renewed");
        write_pair(&files, authority);
        let (certificate, key) = (files.path("cert.pem"), files.path("key.pem"));
        let redis = RedisProcess::with_files(&certificate, &key, &authority.bundle).await;
        Self { redis, files, connections: 0 }
    }

    async fn is_connected(&mut self, service: &Service) {
        self.connections += 1;
        let connected = |line: &str| line.contains("\"message\":\"connected to Redis\"");
        service.program.lines(self.connections, connected).await;
    }

    /// Restarts Redis with a certificate of this authority.
    async fn renew(&mut self, authority: &Authority, service: &Service) {
        let failures = async || {
            let figures = service.get("/metrics").await.text().await.unwrap();
            value_in(&figures, "sts_verify_redis_errors_total{operation=\"connect\"}").unwrap()
        };
        let before = failures().await;
        self.redis.kill();
        write_pair(&self.files, authority);
        // The lost connection, and the first attempt to replace it.
        until("Redis to be missed", async || failures().await > before + 1.5).await;
        self.redis.start_again().await;
        self.is_connected(service).await;
    }
}

fn write_pair(files: &Scratch, authority: &Authority) {
    let pair = authority.pair(&["localhost"]);
    files.file("cert.pem", &pair.certificate);
    files.file("key.pem", &pair.key);
}

#[tokio::test]
async fn the_bundle_of_redis_is_taken_over_however_its_file_is_changed() {
    let (stub, one, other) =
        (Stub::always(identity()).await, Authority::new("redis-one"), Authority::new("redis-next"));
    let mut renewed = Renewed::start(&one).await;
    let mounted = Mounted::new("redis-bundle", &[("ca.pem", &pem(&one))]);
    let (file, url) = (mounted.path("ca.pem"), format!("rediss://localhost:{}", renewed.redis.port));
    let variables = [
        ("STS_VERIFY_REDIS_URL", url.as_str()),
        ("STS_VERIFY_REDIS_CA_BUNDLE", &file),
        ("STS_VERIFY_RATE_LIMIT", "100/s"),
    ];
    let service = Service::asking(&stub.url, &variables).await;
    renewed.is_connected(&service).await;
    mounted.swap("day-1", &[("ca.pem", &pem(&other))]);
    lines(&service, 1, "reloaded", "redis_ca_bundle").await;
    // The open connection continues.
    let calls = "sts_verify_redis_errors_total{operation=\"rate_limit\"}";
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    let figures = service.get("/metrics").await.text().await.unwrap();
    assert!(value_in(&figures, calls).unwrap().abs() < 0.5);
    renewed.renew(&other, &service).await;
    mounted.rewrite("ca.pem", &pem(&one));
    lines(&service, 2, "reloaded", "redis_ca_bundle").await;
    renewed.renew(&one, &service).await;
    mounted.replace("ca.pem", &pem(&other));
    lines(&service, 3, "reloaded", "redis_ca_bundle").await;
    renewed.renew(&other, &service).await;
    // A file that is still being written.
    let half = &pem(&one)[..200];
    mounted.rewrite("ca.pem", half);
    let line = lines(&service, 1, "not reloaded", "redis_ca_bundle").await.concat();
    assert!(line.contains("STS_VERIFY_REDIS_CA_BUNDLE: "), "{line}");
    renewed.renew(&other, &service).await;
    let figures = service.get("/metrics").await.text().await.unwrap();
    let figure = |name: &str| value_in(&figures, &format!("{name}{{file=\"redis_ca_bundle\"}}")).unwrap();
    assert!((figure("sts_verify_reload_failures_total") - 1.0).abs() < 0.5, "{figures}");
    assert!(figure("sts_verify_file_loaded_timestamp_seconds") > 1.7e9, "{figures}");
}

/// The collector's CA is added to the file that this variable names, with this kind of change.
async fn collector_comes_to_be_trusted(variable: &str, change: fn(&Mounted, &str)) {
    let (stub, collector) = (Stub::always(identity()).await, Collector::start().await);
    let (authority, other) =
        (Authority::new(&format!("{variable}-one")), Authority::new(&format!("{variable}-other")));
    let front = tls(&authority, &["127.0.0.1"], &collector.url).await;
    let mounted = Mounted::new(&format!("{variable}-collector"), &[("ca.pem", &pem(&other))]);
    let (url, file) = (format!("https://{}", front.address), mounted.path("ca.pem"));
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "1"), (variable, &file)];
    let service = Service::asking(&stub.url, &variables).await;
    service.get("/livez").await;
    service.program.message("traces cannot be delivered").await;
    assert!(collector.posts().is_empty(), "{variable}");
    change(&mounted, &pem(&authority));
    lines(&service, 1, "reloaded", "otlp_ca_bundle").await;
    service.get("/livez").await;
    collector.was_posted(1).await;
}

#[tokio::test]
async fn the_bundle_of_the_collector_is_taken_over_however_its_file_is_changed() {
    tokio::join!(
        collector_comes_to_be_trusted("OTEL_EXPORTER_OTLP_CERTIFICATE", |mounted, content| {
            mounted.swap("day-1", &[("ca.pem", content)]);
        }),
        collector_comes_to_be_trusted("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", |mounted, content| {
            mounted.rewrite("ca.pem", content);
        }),
        collector_comes_to_be_trusted("SSL_CERT_FILE", |mounted, content| {
            mounted.replace("ca.pem", content);
        })
    );
}
