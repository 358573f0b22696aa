//! Reads a document over the same connections, proxies and CA certificates as STS is asked: an issuer's keys.

use super::{Endpoint, StsFailure, Transport};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::{Instant, timeout_at};

/// Gets a JSON document of at most so many bytes. A redirect is not followed.
///
/// # Errors
///
/// [`StsFailure`], with the URL's own endpoint: the transport's errors, and [`StsFailure::NotSts`] for any status but 200 and for a
/// document that is too long.
pub(crate) async fn get_json(
    transport: &Transport,
    url: &str,
    max_bytes: usize,
    deadline: Instant,
) -> Result<Bytes, StsFailure> {
    let endpoint = Endpoint::new(url);
    let read = async {
        let sent = transport.send(request(url)?).await;
        let response = sent.map_err(|error| StsFailure::from_transport(&error, &endpoint))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(super::reply::not_sts(&endpoint, status, false));
        }
        let body = Limited::new(response.into_body(), max_bytes).collect().await;
        let body = body.map_err(|error| StsFailure::from_body(&*error, status, &endpoint))?;
        Ok(body.to_bytes())
    };
    timeout_at(deadline, read).await.unwrap_or_else(|_| Err(StsFailure::ReadTimeout(endpoint.clone())))
}

/// What is at an endpoint is not the document that was wanted.
pub(crate) fn not_a_document(url: &str) -> StsFailure {
    super::reply::not_sts(&Endpoint::new(url), 200, false)
}

fn request(url: &str) -> Result<HttpRequest, StsFailure> {
    let request = http::Request::get(url)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("sts-verify/", env!("CARGO_PKG_VERSION")))
        .body(SdkBody::empty());
    let request = request.ok().and_then(|request| request.try_into().ok());
    request.ok_or(StsFailure::Internal("a document's URL cannot be asked"))
}
