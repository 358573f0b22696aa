//! How a connection to STS is made: address, proxy, TLS.

use super::stream::{Bytes, Stream};
use super::{ConnectFailure, StsSettings};
use http::{HeaderValue, Uri, uri::Scheme};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{HttpConnector, proxy::Tunnel};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt as _;

/// Why the clients for STS could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The CA bundle cannot be read.
    #[error("AWS_CA_BUNDLE: {0}")]
    CaBundle(#[from] io::Error),
    /// There is nothing in it that can be trusted.
    #[error("AWS_CA_BUNDLE: the file holds no usable PEM certificate")]
    CaBundleEmpty,
    /// The system has no CA certificates, and STS is to be asked over TLS.
    #[error(
        "AWS_CA_BUNDLE: no CA certificates were found on this system (SSL_CERT_FILE, SSL_CERT_DIR); set it"
    )]
    NoRoots,
    /// There is no such endpoint, such as FIPS in a partition without it.
    #[error("AWS_REGION: the SDK knows no endpoint for region {0} with these settings")]
    NoEndpoint(String),
}

/// The way to STS. Cloning shares it.
#[derive(Clone)]
pub struct Transport {
    connector: HttpsConnector<HttpConnector>,
    tls: Arc<ClientConfig>,
    proxies: Option<Arc<Matcher>>,
    connect_timeout: Duration,
}

/// The way to one endpoint.
pub(super) enum Route {
    /// To itself.
    Direct(Uri),
    /// To a proxy that is asked for the URL: the way to an endpoint without TLS.
    Forward { proxy: Uri, authorization: Option<HeaderValue> },
    /// Through a proxy that opens a tunnel (`CONNECT`).
    Tunnel { proxy: Uri, authorization: Option<HeaderValue>, target: Uri },
}

/// Why there is no connection.
pub(super) enum ConnectError {
    /// It was not there in time.
    Timeout,
    /// A step on the way failed.
    Failed(ConnectFailure),
}

impl Transport {
    /// Reads the CA certificates and the proxies. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when there is nothing to check the certificate of STS against.
    pub fn new(settings: &StsSettings) -> Result<Self, SetupError> {
        let encrypted = settings.endpoint_url.as_deref().is_none_or(|url| !url.starts_with("http://"));
        let roots = trusted_roots(settings.ca_bundle.as_deref(), encrypted)?;
        let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| SetupError::CaBundleEmpty)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tls = Arc::new(tls);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(Self {
            connector: HttpsConnector::from((tcp, tls.clone())),
            tls,
            proxies: settings.proxy_from_environment.then(|| Arc::new(Matcher::from_env())),
            connect_timeout: settings.connect_timeout,
        })
    }

    /// The way to an endpoint.
    pub(super) fn route(&self, endpoint: Uri) -> Route {
        let Some(proxy) = self.proxies.as_ref().and_then(|proxies| proxies.intercept(&endpoint)) else {
            return Route::Direct(endpoint);
        };
        let (authorization, proxy) = (proxy.basic_auth().cloned(), proxy.uri().clone());
        if endpoint.scheme() == Some(&Scheme::HTTPS) {
            Route::Tunnel { proxy, authorization, target: endpoint }
        } else {
            Route::Forward { proxy, authorization }
        }
    }

    /// Makes a connection.
    pub(super) async fn connect(&self, route: &Route) -> Result<Stream, ConnectError> {
        let connector = self.connector.clone();
        let connected = async {
            Ok::<Box<dyn Bytes>, Box<dyn Error + Send + Sync>>(match route {
                Route::Direct(to) | Route::Forward { proxy: to, .. } => {
                    Box::new(TokioIo::new(connector.oneshot(to.clone()).await?))
                }
                Route::Tunnel { proxy, authorization, target } => {
                    let mut tunnel = Tunnel::new(proxy.clone(), connector);
                    if let Some(authorization) = authorization {
                        tunnel = tunnel.with_auth(authorization.clone());
                    }
                    let secured = HttpsConnector::from((tunnel, self.tls.clone()));
                    Box::new(TokioIo::new(secured.oneshot(target.clone()).await?))
                }
            })
        };
        match timeout(self.connect_timeout, connected).await {
            Ok(Ok(bytes)) => Ok(Stream::new(bytes)),
            Ok(Err(error)) => Err(ConnectError::Failed(ConnectFailure::of(&*error))),
            Err(_) => Err(ConnectError::Timeout),
        }
    }
}

/// The CA certificates to trust: the bundle alone if there is one (as boto3 does), else the system's.
fn trusted_roots(bundle: Option<&Path>, needed: bool) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    match bundle {
        Some(path) => {
            let pem = std::fs::read(path)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|_| SetupError::CaBundleEmpty)?;
                roots.add(certificate).map_err(|_| SetupError::CaBundleEmpty)?;
            }
            if roots.is_empty() {
                return Err(SetupError::CaBundleEmpty);
            }
        }
        None if needed => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(SetupError::NoRoots);
            }
        }
        None => {}
    }
    Ok(roots)
}
