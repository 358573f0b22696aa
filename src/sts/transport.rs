//! How a connection to STS is made: address, proxy, TLS.

use super::proxy::ProxyRules;
use super::stream::{Bytes, Stream};
use super::{CaBundle, ConnectFailure, Endpoint, StsSettings, Via};
use crate::tls::{ClientTls, ClientTlsError, Trust};
use http::{HeaderValue, Uri, uri::Scheme};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{HttpConnector, proxy::Tunnel};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt as _;
use url::Url;

/// Represents AWS's own endpoints, which are many hosts with one port. In NO_PROXY only `*` matches it.
const AWS: &str = "https://sts.aws.invalid/";

/// Why the clients for STS could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There are no CA certificates to verify STS with.
    #[error("{0}")]
    Trust(#[from] ClientTlsError),
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
    /// The endpoint is not a URL, although it was checked before.
    #[error("AWS_ENDPOINT_URL_STS: it is no URL")]
    NoUrl,
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
    tls: ClientTls,
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
    /// [`SetupError`] when there is nothing to check the certificate of STS against, or a proxy would not be
    /// used.
    pub fn new(settings: &StsSettings) -> Result<Self, SetupError> {
        let endpoint =
            Url::parse(settings.endpoint_url.as_deref().unwrap_or(AWS)).map_err(|_| SetupError::NoUrl)?;
        let proxies = ProxyRules::new(&settings.proxies, &endpoint).map_err(SetupError::Proxy)?;
        let encrypted = endpoint.scheme() == "https" || proxies.is_encrypted();
        let bundle = settings.ca_bundle.clone();
        let (variable, bundle) = bundle
            .map_or_else(|| ("AWS_CA_BUNDLE".to_owned(), None), |CaBundle { name, file }| (name, Some(file)));
        let trust = Trust { variable, bundle, is_needed: encrypted, protocol: Some(b"http/1.1") };
        Ok(Self {
            tls: ClientTls::read(trust)?,
            proxies: Arc::new(proxies),
            connect_timeout: settings.connect_timeout,
        })
    }

    /// The CA certificates for connections.
    #[must_use]
    pub fn tls(&self) -> &ClientTls {
        &self.tls
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
        let tls = self.tls.config();
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
