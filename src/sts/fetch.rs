//! Gets a document over the same route as calls to STS (proxies, CA certificates): an issuer's keys. Each
//! document gets a connection of its own, because keys are fetched only once in some minutes.

use super::client::request_over;
use super::failure::StsFailure;
use super::pool::Body;
use super::transport::{ConnectError, Route, Transport};
use super::{ConnectFailure, Endpoint};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use std::pin::pin;
use tokio::time::{Instant, timeout_at};

/// The maximum length of a document.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// Room for the headers and the framing of its answer.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Gets a JSON document of at most 64 KiB. Redirects are not followed.
///
/// # Errors
///
/// [`StsFailure`] with the document's URL: the transport's errors, and [`StsFailure::NotSts`] for any status
/// but 200.
pub(crate) async fn get_json(
    transport: &Transport,
    url: &str,
    deadline: Instant,
) -> Result<Bytes, StsFailure> {
    let endpoint = Endpoint::new(url);
    let read = read(transport, &endpoint);
    timeout_at(deadline, read).await.unwrap_or_else(|_| Err(StsFailure::ReadTimeout(endpoint.clone())))
}

async fn read(transport: &Transport, endpoint: &Endpoint) -> Result<Bytes, StsFailure> {
    let invalid = StsFailure::Internal("the URL of a document is invalid");
    let uri: Uri = endpoint.as_str().parse().map_err(|_| invalid.clone())?;
    let route = transport.route(uri.clone());
    let request = request(uri, &route).ok_or(invalid)?;
    let no_connection = |error| StsFailure::from_connect(&error, endpoint);
    let stream = transport.connect(&route).await.map_err(no_connection)?;
    stream.allowance().set(MAX_DOCUMENT_BYTES + MAX_HEAD_BYTES);
    let failed = |_| no_connection(ConnectError::Failed(ConnectFailure::Route));
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let mut exchange = pin!(async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    });
    // The connection is polled beside the exchange, and dropped with it. It may end first, after the answer was
    // read.
    let exchanged = tokio::select! {
        exchanged = &mut exchange => exchanged,
        _ = connection => exchange.await,
    };
    match exchanged.map_err(|error| StsFailure::from_hyper(&error, endpoint))? {
        (200, document) if document.len() <= MAX_DOCUMENT_BYTES => Ok(document),
        (status, _) => Err(not_sts(endpoint, status)),
    }
}

/// The error for a URL whose document is not the expected one.
pub(crate) fn not_a_document(url: &str) -> StsFailure {
    not_sts(&Endpoint::new(url), 200)
}

fn not_sts(endpoint: &Endpoint, status: u16) -> StsFailure {
    StsFailure::NotSts { endpoint: endpoint.clone(), status, well_formed: false, code: None }
}

fn request(uri: Uri, route: &Route) -> Option<Request<Body>> {
    let mut request = request_over(Method::GET, uri, route, Full::default())?;
    request.headers_mut().insert(ACCEPT, http::HeaderValue::from_static("application/json"));
    Some(request)
}
