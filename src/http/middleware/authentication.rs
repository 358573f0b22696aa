//! Lets those ask who have an API key, before anything of a request's body is read.
//!
//! A key comes as `Authorization: Bearer KEY` (RFC 6750) or as `x-api-key: KEY`, for callers whose Authorization is taken:
//! Lambda's clients sign their requests there. One good key among all that a request carries is enough, so that a
//! gateway's own token in one of the headers does no harm.

use crate::callers::api_keys::ApiKeys;
use crate::http::error::ApiError;
use crate::observability::metrics::Metrics;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// The header for a key that is not in Authorization.
pub const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

const BEARER: &[u8] = b"bearer";

/// What stands before the routes that ask STS.
#[derive(Clone)]
pub(crate) struct KeyGuard {
    pub keys: Arc<ApiKeys>,
    pub metrics: Arc<Metrics>,
}

/// The layer of the routes that ask STS. Who comes through with a key has its [`crate::callers::KeyId`] in the request's
/// extensions, and its name for the log in the answer's.
pub(crate) async fn authenticate(
    State(guard): State<KeyGuard>,
    mut request: Request,
    next: Next,
) -> Response {
    let found = presented(request.headers()).find_map(|key| guard.keys.find(key));
    let Some((id, name)) = found else {
        guard.metrics.unauthenticated();
        let key_given = presented(request.headers()).next().is_some();
        return ApiError::Unauthorized { key_given }.into_response();
    };
    // Nobody further in has a use for them.
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(API_KEY_HEADER);
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(name);
    response
}

/// The keys in a request's head. An empty one is none.
fn presented(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| bearer(value.as_bytes()));
    let own = headers.get_all(API_KEY_HEADER).into_iter().map(|value| value.as_bytes().trim_ascii());
    bearer.chain(own).filter(|key| !key.is_empty())
}

/// The token of the scheme Bearer, whose name has no case (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(BEARER.len())?;
    let spaced = token.first() == Some(&b' ');
    (scheme.eq_ignore_ascii_case(BEARER) && spaced).then(|| token.trim_ascii())
}
