//! How bytes get to STS and back: one connection pool, TLS roots, proxies.

use super::StsSettings;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorFuture, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Shorter than the time after which STS's own side closes an idle connection (about 20 s have been seen), so that
/// a call is seldom sent into a connection that is just being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Why the clients for STS could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The CA bundle cannot be read.
    #[error("AWS_CA_BUNDLE: {0}")]
    CaBundle(#[from] std::io::Error),
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

/// The shared way to STS. Cloning shares the pool.
#[derive(Clone, Debug)]
pub struct Transport(Arc<Connector>);

impl Transport {
    /// Reads the CA certificates and sets up the pool. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when there is nothing to check the certificate of STS against.
    pub fn new(settings: &StsSettings) -> Result<Self, SetupError> {
        let encrypted = settings.endpoint_url.as_deref().is_none_or(|url| !url.starts_with("http://"));
        let roots = trusted_roots(settings.ca_bundle.as_deref(), encrypted)?;
        let proxy =
            if settings.proxy_from_environment { ProxyConfig::from_env() } else { ProxyConfig::disabled() };
        let mut builder: ConnectorBuilder = Connector::builder();
        builder
            .set_connector_settings(Some(
                HttpConnectorSettings::builder().connect_timeout(settings.connect_timeout).build(),
            ))
            .set_pool_idle_timeout(Some(Some(POOL_IDLE_TIMEOUT)))
            .set_proxy_config(Some(proxy));
        let builder = builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(roots);
        Ok(Self(Arc::new(builder.build())))
    }

    /// Sends a request; resolves when the head of the answer has come.
    pub(super) fn send(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.call(request)
    }
}

/// The CA certificates to trust: the bundle alone if there is one (as boto3 does), else the system's.
fn trusted_roots(bundle: Option<&Path>, needed: bool) -> Result<TlsContext, SetupError> {
    let store = match bundle {
        Some(path) => {
            let pem = std::fs::read(path)?;
            // The SDK panics on a file without certificates, so look first.
            let read = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
            let certificates = read.map_err(|_| SetupError::CaBundleEmpty)?;
            let mut roots = RootCertStore::empty();
            if certificates.is_empty() || certificates.into_iter().any(|one| roots.add(one).is_err()) {
                return Err(SetupError::CaBundleEmpty);
            }
            TrustStore::empty().with_pem_certificate(pem)
        }
        None if !needed => TrustStore::empty(),
        None if !system_has_roots() => return Err(SetupError::NoRoots),
        None => TrustStore::default(),
    };
    TlsContext::builder().with_trust_store(store).build().map_err(|_| SetupError::CaBundleEmpty)
}

fn system_has_roots() -> bool {
    let found = rustls_native_certs::load_native_certs().certs;
    RootCertStore::empty().add_parsable_certificates(found).0 > 0
}
