//! TLS for callers: versions, time limits, shutdown, and the health check.

use crate::helpers::someone;
use crate::program::{PATIENCE, Scratch, Service, run};
use crate::stub::{Stub, identity};
use crate::wire::{Authority, Gate, Pair};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};

pub const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

/// A service with a certificate, and a client that trusts only its CA.
pub struct Guarded {
    pub service: Service,
    pub authority: Authority,
    pub files: Scratch,
    pub first: Pair,
}

impl Guarded {
    /// `name` must be unique among the tests.
    pub async fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let (authority, files) = (Authority::new(&format!("{name}-ca")), Scratch::new(name));
        let first = authority.pair(&["127.0.0.1"]);
        let paths = write(&files, &first);
        let pair = [("STS_VERIFY_TLS_CERT_FILE", paths.0.as_str()), ("STS_VERIFY_TLS_KEY_FILE", &paths.1)];
        let service = Service::start(&[&pair, variables].concat()).await;
        Self { service, authority, files, first }
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        connect(self.service.address, &self.authority, BOTH, "http/1.1").await.unwrap()
    }
}

pub fn write(files: &Scratch, pair: &Pair) -> (String, String) {
    (files.file("cert.pem", &pair.certificate), files.file("key.pem", &pair.key))
}

pub async fn connect(
    address: SocketAddr,
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&authority.bundle).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), stream).await
}

/// Requests /livez on a connection that stays open, and returns the answer.
pub async fn livez(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(LIVEZ.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"ok\"}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

pub fn question() -> String {
    let body = someone().to_string();
    let head = "POST /verify HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length:";
    format!("{head} {}\r\n\r\n{body}", body.len())
}

/// Everything until the other side closes, with a FIN or a reset.
pub async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let closed =
        timeout(PATIENCE, async { while stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {} });
    closed.await.expect("the service closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn callers_are_answered_only_over_tls_and_get_hsts() {
    let stub = Stub::always(identity()).await;
    let guarded = Guarded::start("tls-only", &[("AWS_ENDPOINT_URL_STS", &stub.url)]).await;
    let mut stream = guarded.connect().await;
    assert!(livez(&mut stream).await.contains("strict-transport-security: max-age=31536000\r\n"));
    stream.write_all(question().as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("x-sts-verdict: valid"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    let mut plain = TcpStream::connect(guarded.service.address).await.unwrap();
    plain.write_all(question().as_bytes()).await.unwrap();
    assert!(!rest(&mut plain).await.contains("HTTP"));
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn plain_http_sends_no_hsts_header() {
    let service = Service::with_arguments(&["serve", "--sandbox"], &[]).await;
    assert_eq!(service.get("/livez").await.headers().get("strict-transport-security"), None);
}

#[tokio::test]
async fn versions_1_2_and_1_3_are_spoken_and_http_1_1_in_them() {
    let guarded = Guarded::start("versions", &[]).await;
    let (address, authority) = (guarded.service.address, &guarded.authority);
    for (offered, spoken) in [
        (&[&TLS12] as &[_], ProtocolVersion::TLSv1_2),
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (BOTH, ProtocolVersion::TLSv1_3),
    ] {
        let mut stream = connect(address, authority, offered, "http/1.1").await.unwrap();
        livez(&mut stream).await;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1" as &[u8]));
    }
    assert!(connect(address, authority, BOTH, "h2").await.is_err());
}

/// The first message of a client that knows this version (RFC 5246, section 7.4.1.2) and no later one.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session; one suite (ECDHE with ECDSA, AES-128-GCM and SHA-256); no compression.
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    // Two extensions: ECDSA on P-256 with SHA-256 for signatures, P-256 for the exchange of keys.
    hello.extend([0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23]);
    let length = u8::try_from(hello.len()).unwrap();
    [vec![0x16, 0x03, 0x01, 0, length + 4, 0x01, 0, 0, length], hello].concat()
}

#[tokio::test]
async fn version_1_1_is_refused_where_1_2_is_not() {
    let guarded = Guarded::start("old-version", &[]).await;
    // A fatal alert, protocol_version (RFC 5246, section 7.2); a handshake's ServerHello.
    for (version, kind, first) in [([3, 2], 0x15, [2, 70]), ([3, 3], 0x16, [2, 0])] {
        let mut stream = TcpStream::connect(guarded.service.address).await.unwrap();
        stream.write_all(&hello(version)).await.unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!((answer[0], [answer[5], answer[6]]), (kind, first), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_never_finishes_its_handshake_is_disconnected() {
    let guarded = Guarded::start("handshake", &[("STS_VERIFY_READ_TIMEOUT", "300ms")]).await;
    for start in [&[] as &[u8], &[0x16, 0x03, 0x01, 0x02]] {
        let mut stream = TcpStream::connect(guarded.service.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        rest(&mut stream).await;
    }
}

#[tokio::test]
async fn a_client_that_is_slow_or_idle_after_its_handshake_is_disconnected() {
    let limits = [("STS_VERIFY_READ_TIMEOUT", "300ms"), ("STS_VERIFY_KEEP_ALIVE", "300ms")];
    let guarded = Guarded::start("slow-head", &limits).await;
    for start in ["", "POST /verify HT"] {
        let mut stream = guarded.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut stream).await, "", "{start}");
    }
    let mut stream = guarded.connect().await;
    livez(&mut stream).await;
    assert_eq!(rest(&mut stream).await, "");
    let mut stream = guarded.connect().await;
    let cut = question();
    stream.write_all(&cut.as_bytes()[..cut.len() - 1]).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_shutdown_waits_for_requests_in_flight_but_not_for_handshakes() {
    let gate = Gate::start().await;
    let variables = [("AWS_ENDPOINT_URL_STS", gate.url.as_str()), ("STS_VERIFY_STOP_DELAY", "0s")];
    let patient = [("STS_VERIFY_READ_TIMEOUT", "1h"), ("STS_VERIFY_DRAIN_TIMEOUT", "1h")];
    let guarded = Guarded::start("tls-stop", &[variables, patient].concat()).await;
    let mut half = TcpStream::connect(guarded.service.address).await.unwrap();
    half.write_all(&[0x16, 0x03]).await.unwrap();
    let mut stream = guarded.connect().await;
    stream.write_all(question().as_bytes()).await.unwrap();
    gate.was_asked(1).await;
    guarded.service.program.signal("TERM");
    guarded.service.program.message("draining").await;
    gate.open();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let end = guarded.service.program.end().await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
}

#[tokio::test]
async fn the_health_check_uses_tls_if_the_service_does() {
    let guarded = Guarded::start("tls-health", &[]).await;
    let listen = guarded.service.address.to_string();
    let (certificate, _) = write(&guarded.files, &guarded.first);
    let listen = ("STS_VERIFY_LISTEN", listen.as_str());
    let with_tls = [listen, ("STS_VERIFY_TLS_CERT_FILE", certificate.as_str())];
    let end = run(&["healthcheck"], &with_tls).await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
    // Renewed on disk, but not yet loaded by the service, which is not affected.
    write(&guarded.files, &guarded.authority.pair(&["127.0.0.1"]));
    assert_eq!(run(&["healthcheck"], &with_tls).await.code, Some(0));
    assert_eq!(run(&["healthcheck"], &[listen]).await.code, Some(1));
    let plain = Service::with_arguments(&["serve", "--sandbox"], &[]).await;
    let plain = plain.address.to_string();
    let variables = [("STS_VERIFY_LISTEN", plain.as_str()), with_tls[1]];
    assert_eq!(run(&["healthcheck"], &variables).await.code, Some(1));
}

#[tokio::test]
async fn the_listener_of_the_metrics_stays_plain() {
    let guarded = Guarded::start("tls-metrics", &[("STS_VERIFY_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let line = guarded.service.program.message("metrics listening").await;
    let url = format!("http://{}/metrics", line["address"].as_str().unwrap());
    assert_eq!(guarded.service.client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn plain_http_where_others_can_reach_it_is_warned_of_once() {
    let warnings =
        |lines: Vec<String>| lines.iter().filter(|line| line.contains("plain HTTP on an address")).count();
    let everywhere = ("STS_VERIFY_LISTEN", "0.0.0.0:0");
    let open = Service::with_arguments(&["serve", "--sandbox"], &[everywhere]).await;
    assert_eq!(warnings(open.stop().await.stdout), 1);
    let local = Service::with_arguments(&["serve", "--sandbox"], &[]).await;
    assert_eq!(warnings(local.stop().await.stdout), 0);
    let encrypted = Guarded::start("tls-everywhere", &[everywhere]).await;
    assert_eq!(warnings(encrypted.service.stop().await.stdout), 0);
}
