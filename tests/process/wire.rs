//! Servers between the program and STS: a certificate authority, TLS, proxies, a slow STS.

use crate::program::{PATIENCE, Scratch};
use crate::stub::{IDENTITY, http_bytes};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority for one test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The file with its certificate.
    pub bundle: String,
    _scratch: Scratch,
}

impl Authority {
    /// `name` must be unique among the tests.
    pub fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let bundle = scratch.file("ca.pem", &params.self_signed(&key).unwrap().pem());
        Self { issuer: Issuer::new(params, key), bundle, _scratch: scratch }
    }

    /// A certificate for a server with these names, and its key, as PEM.
    pub fn pair(&self, names: &[&str]) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

impl Pair {
    /// A self-signed certificate, marked as a CA's (as by `openssl req -x509`) or not, valid until the given
    /// time or for long.
    pub fn self_signed(names: &[&str], is_ca: bool, until_year: i32) -> Self {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }

    /// TLS for a server with this certificate.
    fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// A server on loopback that ends on drop.
pub struct Server {
    /// `127.0.0.1:port`
    pub address: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Handles each connection in the same way.
    pub async fn start<F, C>(converse: C) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
        C: Fn(TcpStream) -> F + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The client checks how a conversation ends.
                drop(tokio::spawn(converse(stream)));
            }
        });
        Self { address, task }
    }
}

/// A TLS proxy for the plain server at a URL. Its certificate is for these names.
pub async fn tls(authority: &Authority, names: &[&str], behind: &str) -> Server {
    tls_with(&authority.pair(names), behind).await
}

/// The same with this certificate.
pub async fn tls_with(pair: &Pair, behind: &str) -> Server {
    let acceptor = pair.acceptor();
    let behind = behind.strip_prefix("http://").unwrap().to_owned();
    Server::start(move |stream| {
        let (acceptor, behind) = (acceptor.clone(), behind.clone());
        async move {
            let mut outside = acceptor.accept(stream).await?;
            let mut inside = TcpStream::connect(behind).await?;
            copy_bidirectional(&mut outside, &mut inside).await.map(drop)
        }
    })
    .await
}

/// A proxy that connects every client to one address, whatever its target is.
pub async fn tunnel(target: &str) -> Server {
    let target = target.to_owned();
    Server::start(move |mut stream| {
        let target = target.clone();
        async move {
            read_until(&mut stream, b"\r\n\r\n").await?;
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut stream, &mut TcpStream::connect(target).await?).await.map(drop)
        }
    })
    .await
}

/// The end of the body of a request to STS.
const END_OF_REQUEST: &[u8] = b"Version=2011-06-15";

/// An STS that returns the identity, but only after it is released.
pub struct Gate {
    pub url: String,
    asked: watch::Receiver<usize>,
    open: watch::Sender<bool>,
    _server: Server,
}

impl Gate {
    pub async fn start() -> Self {
        let (asking, asked) = watch::channel(0);
        let (open, opened) = watch::channel(false);
        let server = Server::start(move |mut stream| {
            let (asking, mut opened) = (asking.clone(), opened.clone());
            async move {
                loop {
                    read_until(&mut stream, END_OF_REQUEST).await?;
                    asking.send_modify(|count| *count += 1);
                    opened.wait_for(|open| *open).await.map_err(std::io::Error::other)?;
                    stream.write_all(&http_bytes(200, &[("Content-Type", "text/xml")], IDENTITY)).await?;
                }
            }
        })
        .await;
        Self { url: format!("http://{}", server.address), asked, open, _server: server }
    }

    /// Waits until this many requests have arrived in total.
    pub async fn was_asked(&self, count: usize) {
        let mut asked = self.asked.clone();
        let come = timeout(PATIENCE, asked.wait_for(|come| *come >= count));
        come.await.expect("the service asks").unwrap();
    }

    /// The number of requests so far.
    pub fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// Releases the answers to all current and future requests.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

/// Reads up to the expected end, which must be the last bytes that were sent.
pub async fn read_until(stream: &mut TcpStream, wanted: &[u8]) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(wanted) {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
