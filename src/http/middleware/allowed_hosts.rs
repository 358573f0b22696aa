//! Accepts requests only for the hosts that the operator lists, if there is a list.

use crate::config::AllowedHosts;
use crate::http::error::ApiError;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// The state of the layer.
#[derive(Clone)]
pub(crate) struct HostGuard {
    pub hosts: Arc<AllowedHosts>,
    /// The routes that accept any host: health probes use the address of a process.
    pub exempt: &'static [&'static str],
}

/// Lets a request through if it is for an allowed host.
pub(crate) async fn check_host(State(guard): State<HostGuard>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let exempt = route.is_some_and(|route| guard.exempt.contains(&route));
    if exempt || is_allowed(&guard.hosts, &request) {
        next.run(request).await
    } else {
        ApiError::MisdirectedRequest.into_response()
    }
}

/// Whether the request names at least one host and all of them are allowed. A target in absolute form also
/// names one, and takes precedence over `Host` (RFC 9112, section 3.2.2).
fn is_allowed(hosts: &AllowedHosts, request: &Request) -> bool {
    let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let headers = request.headers().get_all(HOST).into_iter().map(HeaderValue::as_bytes);
    let mut named = target.into_iter().chain(headers).peekable();
    named.peek().is_some() && named.all(|host| hosts.allow(host))
}
