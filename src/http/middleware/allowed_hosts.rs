//! Answers only for the hosts that the operator lists, if any are listed.

use crate::config::AllowedHosts;
use crate::http::error::ApiError;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// What stands before the routes.
#[derive(Clone)]
pub(crate) struct HostGuard {
    pub hosts: Arc<AllowedHosts>,
    /// The routes that answer for any host: probes ask those of health by the address of a process.
    pub exempt: &'static [&'static str],
}

/// Lets a request through if it is for a host of the operator's.
pub(crate) async fn check_host(State(guard): State<HostGuard>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let exempt = route.is_some_and(|route| guard.exempt.contains(&route));
    if exempt || is_allowed(&guard.hosts, &request) {
        next.run(request).await
    } else {
        ApiError::MisdirectedRequest.into_response()
    }
}

/// Every host that the request names has to be allowed, and there has to be one. A target in absolute form names one, too,
/// and counts more than `Host` (RFC 9112, section 3.2.2).
fn is_allowed(hosts: &AllowedHosts, request: &Request) -> bool {
    let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let headers = request.headers().get_all(HOST).into_iter().map(HeaderValue::as_bytes);
    let mut named = target.into_iter().chain(headers).peekable();
    named.peek().is_some() && named.all(|host| hosts.allow(host))
}
