//! How a connection to STS is made: address, proxy, TLS.

use super::proxy::ProxyRules;
use super::stream::{Bytes, Stream};
use super::{CaBundle, ConnectFailure, Endpoint, StsSettings, Via};
use crate::tls::{self, pem, pem::PemError};
use http::{HeaderValue, Uri, uri::Scheme};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{HttpConnector, proxy::Tunnel};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt as _;
use url::Url;

/// Represents AWS's own endpoints, which are many hosts with one port. In NO_PROXY only `*` matches it.
const AWS: &str = "https://sts.aws.invalid/";

/// Why the clients for STS could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The CA bundle cannot be read, or not all of it.
    #[error("{0}: {1}")]
    CaBundle(String, PemError),
    /// The system has no CA certificates, and STS is called over TLS.
    #[error(
        "AWS_CA_BUNDLE: no CA certificates were found on this system (SSL_CERT_FILE, SSL_CERT_DIR); set it"
    )]
    NoRoots,
    /// The SDK has no such endpoint for the region, such as FIPS in a partition without it.
    #[error("{setting}: the SDK knows no such endpoint for region {region}")]
    NoEndpoint {
        /// The variable that the operator has to change.
        setting: &'static str,
        /// The region.
        region: String,
    },
    /// A proxy that would not be used. The text is one line that names the variable.
    #[error("{0}")]
    Proxy(String),
    /// The TLS client cannot be made, although its parts were checked before.
    #[error("AWS_CA_BUNDLE: the TLS client cannot be made")]
    Tls,
}

impl SetupError {
    /// The error for a region without an endpoint of the wanted kind.
    pub(super) fn no_endpoint(region: &str, settings: &StsSettings) -> Self {
        let setting = match (settings.use_fips, settings.use_dual_stack) {
            (true, _) => "AWS_USE_FIPS_ENDPOINT",
            (false, true) => "AWS_USE_DUALSTACK_ENDPOINT",
            (false, false) => "AWS_REGION",
        };
        Self::NoEndpoint { setting, region: region.to_owned() }
    }
}

/// The route to STS. Clones share it.
#[derive(Clone)]
pub struct Transport {
    /// Connections that are made later take what is put here.
    tls: Arc<RwLock<Arc<ClientConfig>>>,
    ca_bundle: Option<CaBundle>,
    proxies: Arc<ProxyRules>,
    connect_timeout: Duration,
}

/// The route to one endpoint.
pub(super) enum Route {
    /// Directly to the endpoint.
    Direct(Uri),
    /// To a proxy that forwards the request: for an endpoint without TLS.
    Forward { proxy: Uri, authorization: Option<HeaderValue> },
    /// Through a proxy that opens a tunnel (`CONNECT`).
    Tunnel { proxy: Uri, authorization: Option<HeaderValue>, target: Uri },
}

/// Why there is no connection.
pub(super) enum ConnectError {
    /// The connection was not ready in time.
    Timeout,
    /// A step on the route failed.
    Failed(ConnectFailure),
}

impl Transport {
    /// Reads the CA certificates and the proxies. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when there is nothing to check the certificate of STS against, or a proxy would not be used.
    pub fn new(settings: &StsSettings) -> Result<Self, SetupError> {
        let endpoint =
            Url::parse(settings.endpoint_url.as_deref().unwrap_or(AWS)).map_err(|_| SetupError::Tls)?;
        let proxies = ProxyRules::new(&settings.proxies, &endpoint).map_err(SetupError::Proxy)?;
        let encrypted = endpoint.scheme() == "https" || proxies.is_encrypted();
        let (tls, _) = tls_config(settings.ca_bundle.as_ref(), encrypted)?;
        Ok(Self {
            tls: Arc::new(RwLock::new(tls)),
            ca_bundle: settings.ca_bundle.clone(),
            proxies: Arc::new(proxies),
            connect_timeout: settings.connect_timeout,
        })
    }

    /// The file of the CA bundle, if there is one.
    #[must_use]
    pub fn ca_bundle(&self) -> Option<&Path> {
        self.ca_bundle.as_ref().map(|bundle| bundle.file.as_path())
    }

    /// Reads the CA bundle again and says how many certificates it has now. After an error they are those of before. Connections that are
    /// open go on.
    ///
    /// # Errors
    ///
    /// As of [`Transport::new`].
    pub fn reload(&self) -> Result<usize, SetupError> {
        let (tls, certificates) = tls_config(self.ca_bundle.as_ref(), true)?;
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
        Ok(certificates)
    }

    /// How an endpoint is reached.
    #[must_use]
    pub fn via(&self, endpoint: &Endpoint) -> Via {
        endpoint.as_str().parse().map_or(Via::Direct, |url| self.proxies.via(&url))
    }

    /// The route to an endpoint.
    pub(super) fn route(&self, endpoint: Uri) -> Route {
        let Some(proxy) = self.proxies.proxy(&endpoint) else { return Route::Direct(endpoint) };
        let (authorization, proxy) = (proxy.basic_auth().cloned(), proxy.uri().clone());
        if endpoint.scheme() == Some(&Scheme::HTTPS) {
            Route::Tunnel { proxy, authorization, target: endpoint }
        } else {
            Route::Forward { proxy, authorization }
        }
    }

    /// Opens a connection.
    pub(super) async fn connect(&self, route: &Route) -> Result<Stream, ConnectError> {
        let tls = self.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnector::from((tcp, tls.clone()));
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
                    let secured = HttpsConnector::from((tunnel, tls));
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

/// The CA certificates to trust: the bundle alone if there is one (as boto3 does), else the system's. Returns how many there are.
fn tls_config(bundle: Option<&CaBundle>, needed: bool) -> Result<(Arc<ClientConfig>, usize), SetupError> {
    let (config, count) = if let Some(CaBundle { name, file }) = bundle {
        let certificates =
            pem::certificates(file).map_err(|error| SetupError::CaBundle(name.clone(), error))?;
        let count = certificates.len();
        (tls::client_config(certificates), count)
    } else {
        let roots = if needed { tls::system_roots() } else { RootCertStore::empty() };
        if needed && roots.is_empty() {
            return Err(SetupError::NoRoots);
        }
        let count = roots.len();
        (tls::client_config_with_roots(roots), count)
    };
    let mut config = config.map_err(|_| SetupError::Tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config), count))
}
