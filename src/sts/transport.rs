//! How bytes get to STS and back: one connection pool, TLS roots, proxies.

use super::own_certificate;
use super::proxy::Route;
use super::{CaBundle, Endpoint, StsSettings, Via};
use crate::tls::{
    self,
    pem::{self, PemError},
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Shorter than the time after which STS's own side closes an idle connection (about 20 s have been seen), so that
/// a call is seldom sent into a connection that is just being closed.
pub(super) const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Stands for AWS's own endpoints, which are many hosts on one port. Of NO_PROXY only `*` matches it.
const AWS: &str = "https://sts.aws.invalid/";

/// Why the clients for STS could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The CA bundle cannot be read, or not all of it.
    #[error("{0}: {1}")]
    CaBundle(String, PemError),
    /// The system has no CA certificates, and STS is to be asked over TLS.
    #[error(
        "AWS_CA_BUNDLE: no CA certificates were found on this system (SSL_CERT_FILE, SSL_CERT_DIR); set it"
    )]
    NoRoots,
    /// There is no such endpoint, such as FIPS in a partition without it.
    #[error("{setting}: the SDK knows no such endpoint for region {region}")]
    NoEndpoint {
        /// The variable to look at.
        setting: &'static str,
        /// The region.
        region: String,
    },
    /// A proxy that would not be used. One line that names the variable.
    #[error("{0}")]
    Proxy(String),
    /// The TLS client cannot be made of what was checked before.
    #[error("AWS_CA_BUNDLE: the TLS client cannot be made")]
    Tls,
}

impl SetupError {
    /// The setting that a region has no endpoint for.
    pub(super) fn no_endpoint(region: &str, settings: &StsSettings) -> Self {
        let setting = match (settings.use_fips, settings.use_dual_stack) {
            (true, _) => "AWS_USE_FIPS_ENDPOINT",
            (false, true) => "AWS_USE_DUALSTACK_ENDPOINT",
            (false, false) => "AWS_REGION",
        };
        Self::NoEndpoint { setting, region: region.to_owned() }
    }
}

/// The shared way to STS. Cloning shares the pool.
#[derive(Clone, Debug)]
pub struct Transport {
    connector: Arc<dyn HttpConnector>,
    route: Arc<Route>,
}

impl Transport {
    /// Reads the CA certificates and sets up the pool. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when there is nothing to check the certificate of STS against, or a proxy would not be used.
    pub fn new(settings: &StsSettings) -> Result<Self, SetupError> {
        let endpoint =
            Url::parse(settings.endpoint_url.as_deref().unwrap_or(AWS)).map_err(|_| SetupError::Tls)?;
        let route = Arc::new(Route::new(&settings.proxies, &endpoint).map_err(SetupError::Proxy)?);
        let bundle = settings.ca_bundle.as_ref().map(certificates).transpose()?;
        let encrypted = endpoint.scheme() == "https" || route.is_encrypted();
        let connect_timeout = settings.connect_timeout;
        let connector = match bundle {
            Some(bundle) if own_certificate::is_among(&bundle, &endpoint) => {
                own_certificate::connector(bundle, &endpoint, &route, connect_timeout)
                    .map_err(|_| SetupError::Tls)?
            }
            bundle => Arc::new(sdk_connector(trusted_roots(bundle, encrypted)?, &route, connect_timeout)?),
        };
        Ok(Self { connector, route })
    }

    /// How an endpoint is reached.
    #[must_use]
    pub fn via(&self, endpoint: &Endpoint) -> Via {
        endpoint.as_str().parse().map_or(Via::Direct, |url| self.route.via(&url))
    }

    /// Sends a request; resolves when the head of the answer has come.
    pub(super) fn send(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.connector.call(request)
    }
}

fn certificates(bundle: &CaBundle) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    pem::certificates(&bundle.file).map_err(|error| SetupError::CaBundle(bundle.name.clone(), error))
}

fn sdk_connector(
    roots: TlsContext,
    route: &Route,
    connect_timeout: Duration,
) -> Result<Connector, SetupError> {
    let mut builder: ConnectorBuilder = Connector::builder();
    builder
        .set_connector_settings(Some(
            HttpConnectorSettings::builder().connect_timeout(connect_timeout).build(),
        ))
        .set_pool_idle_timeout(Some(Some(POOL_IDLE_TIMEOUT)))
        .set_proxy_config(Some(route.config().map_err(|_| SetupError::Tls)?));
    Ok(builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(roots).build())
}

/// The CA certificates to trust: the bundle alone if there is one (as boto3 does), else the system's.
fn trusted_roots(
    bundle: Option<Vec<CertificateDer<'static>>>,
    needed: bool,
) -> Result<TlsContext, SetupError> {
    let store = match bundle {
        // Not the file itself: the SDK's parser skips blocks that ours finds.
        Some(certificates) => TrustStore::empty().with_pem_certificate(pem::encode(&certificates)),
        None if !needed => TrustStore::empty(),
        None if tls::system_roots().is_empty() => return Err(SetupError::NoRoots),
        None => TrustStore::default(),
    };
    TlsContext::builder().with_trust_store(store).build().map_err(|_| SetupError::Tls)
}
