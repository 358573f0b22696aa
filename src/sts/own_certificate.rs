//! The connector for an endpoint whose own certificate is in the CA bundle, such as a gateway's that was made by
//! `openssl req -x509`. OpenSSL, and so boto3, trusts it; webpki does not if it is marked as a CA's ([`crate::tls`]).
//!
//! The SDK's connector accepts certificates and no verifier. So this one is built from the same parts: hyper-util's pool
//! and tunnel, and hyper-rustls.

use super::failure::find;
use super::proxy::Route;
use super::transport::POOL_IDLE_TIMEOUT;
use crate::tls;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use hyper::rt::{Read, Write};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{
    CaptureConnection, Connect, Connection, HttpConnector as TcpConnector, capture_connection,
};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tower::{Service, ServiceExt as _, service_fn};
use url::Url;

/// Whether one of these certificates is valid for the name of this endpoint.
pub(super) fn is_among(bundle: &[CertificateDer<'_>], endpoint: &Url) -> bool {
    let host = endpoint.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let Some(Ok(name)) = host.map(ServerName::try_from) else { return false };
    let is_for = |certificate| {
        ParsedCertificate::try_from(certificate)
            .is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    };
    endpoint.scheme() == "https" && bundle.iter().any(is_for)
}

/// A connector to this endpoint that trusts these certificates.
pub(super) fn connector(
    bundle: Vec<CertificateDer<'static>>,
    endpoint: &Url,
    route: &Route,
    connect_timeout: Duration,
) -> Result<Arc<dyn HttpConnector>, BoxError> {
    let tls = tls::client_config(bundle)?;
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let https = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
    let direct = https.wrap_connector(tcp);
    let Some(proxy) = route.proxy(&endpoint.as_str().parse()?) else {
        return Ok(pool(direct, connect_timeout));
    };
    let tunnel = Tunnel::new(proxy.uri().clone(), direct);
    let tunnel = match proxy.basic_auth() {
        Some(authorization) => tunnel.with_auth(authorization.clone()),
        None => tunnel,
    };
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
    Ok(pool(https.wrap_connector(tunnel), connect_timeout))
}

/// A pool of connections with a limit on the time to connect.
fn pool<C>(connect: C, limit: Duration) -> Arc<dyn HttpConnector>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
{
    let in_time = service_fn(move |uri| {
        let connect = connect.clone();
        Box::pin(async move { timeout(limit, connect.oneshot(uri)).await?.map_err(Into::into) })
    });
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .build(in_time);
    Arc::new(Pool(client))
}

/// hyper-util's client behind the interface of the SDK's connectors.
struct Pool<C>(Client<C, SdkBody>);

impl<C> std::fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpConnector for Pool<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || Some(metadata(connection.clone())));
        }
        let sending = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = sending.await.map_err(classified)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Lets the caller exclude the connection from reuse.
fn metadata(connection: CaptureConnection) -> ConnectionMetadata {
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    ConnectionMetadata::builder().proxied(false).poison_fn(poison).build()
}

fn classified(error: legacy::Error) -> ConnectorError {
    match find::<Elapsed>(&error) {
        Some(_) => ConnectorError::timeout(error.into()),
        None => ConnectorError::io(error.into()),
    }
}
