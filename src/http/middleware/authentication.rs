//! Lets those ask who have an API key, before anything of a request's body is read.
//!
//! A key comes as `Authorization: Bearer KEY` (RFC 6750) or as `x-api-key: KEY`, for callers whose Authorization is taken:
//! Lambda's clients sign their requests there. One good key among the few that a request may carry is enough, so that a
//! gateway's own token in one of the headers does no harm.
//!
//! An address from which too many requests without a good key come is answered 429 for these. A good key is let through
//! in any case, so that callers behind one address do not shut each other out.

use super::client_address::address_of;
use crate::callers::api_keys::ApiKeys;
use crate::callers::{CallerId, CallerLimit};
use crate::http::error::ApiError;
use crate::observability::SharedRecord;
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

/// How many keys a request may carry. A caller has one, and gateways on the way may have added their own.
const MOST_KEYS: usize = 4;

/// What stands before the routes that ask STS.
#[derive(Clone)]
pub(crate) struct KeyGuard {
    pub keys: Arc<ApiKeys>,
    /// How many requests without a good key an address may send.
    pub failures: Arc<CallerLimit>,
    /// How many proxies in front append to X-Forwarded-For.
    pub trusted_proxies: usize,
    pub metrics: Arc<Metrics>,
}

/// The layer of the routes that ask STS. Who comes through with a key has its [`crate::callers::KeyId`] in the request's
/// extensions, and its name in the record for the log.
pub(crate) async fn authenticate(
    State(guard): State<KeyGuard>,
    mut request: Request,
    next: Next,
) -> Response {
    let presented = presented(request.headers());
    let good = || presented.iter().find_map(|key| guard.keys.find(key));
    let Some((id, name)) = (presented.len() <= MOST_KEYS).then(good).flatten() else {
        return guard.turn_away(address_of(&request, guard.trusted_proxies), !presented.is_empty()).await;
    };
    // Nobody further in has a use for them.
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(API_KEY_HEADER);
    request.extensions_mut().insert(id);
    if let Some(record) = request.extensions().get::<SharedRecord>() {
        record.update(|record| record.api_key = Some(name));
    }
    next.run(request).await
}

impl KeyGuard {
    /// The answer to a request without a good key.
    async fn turn_away(&self, address: CallerId, key_given: bool) -> Response {
        let limited = self.failures.check(address).await.err();
        self.metrics.unauthenticated(limited.is_some());
        let error = match limited {
            Some(retry_after) => ApiError::AuthenticationLimited { retry_after },
            None => ApiError::Unauthorized { key_given },
        };
        error.into_response()
    }
}

/// The keys in a request's head, up to one more than is allowed. An empty key is none.
fn presented(headers: &HeaderMap) -> Vec<&[u8]> {
    let bearer = headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| bearer(value.as_bytes()));
    let own = headers.get_all(API_KEY_HEADER).into_iter().map(|value| value.as_bytes().trim_ascii());
    bearer.chain(own).filter(|key| !key.is_empty()).take(MOST_KEYS + 1).collect()
}

/// The token of the scheme Bearer, whose name has no case (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(BEARER.len())?;
    let spaced = token.first() == Some(&b' ');
    (scheme.eq_ignore_ascii_case(BEARER) && spaced).then(|| token.trim_ascii())
}
