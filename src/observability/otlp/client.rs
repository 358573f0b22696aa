//! The HTTP client that sends batches: hyper over the one TLS stack, without a proxy (a collector is usually
//! near).

use crate::config::OtelSettings;
use crate::tls::ClientTls;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tower::Service;

/// A collector's answer has only a few bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Sends batches.
#[derive(Debug)]
pub(super) struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    /// The headers that the collector requires, such as a key.
    headers: HeaderMap,
    /// The time limit of one request.
    timeout: Duration,
    /// The runtime of the requests: the exporter's own thread has no reactor.
    runtime: Handle,
}

impl Client {
    pub(super) fn new(settings: &OtelSettings, tls: ClientTls) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(settings.timeout));
        Self {
            http: legacy::Client::builder(TokioExecutor::new()).build(Connector { tcp, tls }),
            headers: settings.headers.iter().cloned().collect(),
            timeout: settings.timeout,
            runtime: Handle::current(),
        }
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

/// Makes connections with the CA certificates that are trusted at the time.
#[derive(Debug, Clone)]
struct Connector {
    tcp: HttpConnector,
    tls: ClientTls,
}

type Encrypting = HttpsConnector<HttpConnector>;

impl Service<Uri> for Connector {
    type Response = <Encrypting as Service<Uri>>::Response;
    type Error = <Encrypting as Service<Uri>>::Error;
    type Future = <Encrypting as Service<Uri>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Neither of the two has anything to wait for.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        HttpsConnector::from((self.tcp.clone(), self.tls.config())).call(to)
    }
}
