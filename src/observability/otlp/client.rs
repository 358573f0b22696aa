//! The HTTP client that posts batches: hyper over the one TLS stack, without a proxy (a collector is a neighbour).

use crate::config::OtelSettings;
use crate::tls::{self, pem};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A collector answers a few bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Posts batches.
#[derive(Debug)]
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// What the collector wants to see: a key, say.
    headers: HeaderMap,
    /// The bound of one post.
    timeout: Duration,
    /// Where the posts run: the exporter's own thread has no reactor.
    runtime: Handle,
}

impl Client {
    /// Reads the CA certificates.
    pub(super) fn new(settings: &OtelSettings) -> Result<Self, String> {
        let tls = match &settings.ca_bundle {
            Some((variable, file)) => trusting(file).map_err(|error| format!("{variable}: {error}"))?,
            None => trusting_the_system(settings.endpoint.starts_with("https:"))?,
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(settings.timeout));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp)),
            headers: settings.headers.iter().cloned().collect(),
            timeout: settings.timeout,
            runtime: Handle::current(),
        })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        request.headers_mut().extend(self.headers.clone());
        let (http, limit) = (self.http.clone(), self.timeout);
        let whole = async move {
            let (head, body) = http.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        // A timer, too, can only be made where there is a reactor.
        self.runtime.spawn(async move { timeout(limit, whole).await }).await??
    }
}

fn trusting(bundle: &Path) -> Result<ClientConfig, Box<dyn Error>> {
    Ok(tls::client_config(pem::certificates(bundle)?)?)
}

fn trusting_the_system(needed: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            let none = "no CA certificates were found on this system (SSL_CERT_FILE, SSL_CERT_DIR)";
            return Err(format!("OTEL_EXPORTER_OTLP_CERTIFICATE: {none}; set it"));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| "the TLS library has no protocol versions")?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
