//! The HTTP client that sends batches: hyper over the one TLS stack, without a proxy (a collector is usually
//! near).

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
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A collector's answer has only a few bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Sends batches.
#[derive(Debug)]
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The headers that the collector requires, such as a key.
    headers: HeaderMap,
    /// The time limit of one request.
    timeout: Duration,
    /// The runtime of the requests: the exporter's own thread has no reactor.
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
    let roots = if needed { tls::system_roots() } else { RootCertStore::empty() };
    if needed && roots.is_empty() {
        let none = "no CA certificates were found on this system (SSL_CERT_FILE, SSL_CERT_DIR)";
        return Err(format!("OTEL_EXPORTER_OTLP_CERTIFICATE: {none}; set it"));
    }
    tls::client_config_with_roots(roots).map_err(|error| error.to_string())
}
