//! Lets only callers with an API key through, before any of the request's body is read.
//!
//! A key is sent as `Authorization: Bearer KEY` (RFC 6750), or as `x-api-key: KEY` by callers that use
//! Authorization for something else: Lambda's clients sign their requests there. One valid key among the few
//! that a request may have is enough, so that a gateway's own token in one of the headers does no harm.
//!
//! An address that sends too many requests without a valid key gets 429 for these. A valid key is always
//! accepted, so that callers behind one address do not lock each other out.

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

/// The maximum number of keys in a request. A caller has one, and gateways may have added their own.
const MOST_KEYS: usize = 4;

/// The state of the layer before the routes that call STS.
#[derive(Clone)]
pub(crate) struct KeyGuard {
    pub keys: Arc<ApiKeys>,
    /// Limits the requests without a valid key from an address.
    pub failures: Arc<CallerLimit>,
    /// The number of trusted proxies that append to X-Forwarded-For.
    pub trusted_proxies: usize,
    pub metrics: Arc<Metrics>,
}

/// The layer of the routes that call STS. For a request with a valid key it puts the [`crate::callers::KeyId`]
/// into the request's extensions, and the key's name into the log record.
pub(crate) async fn authenticate(
    State(guard): State<KeyGuard>,
    mut request: Request,
    next: Next,
) -> Response {
    let presented = presented(request.headers());
    let good = || presented.iter().find_map(|key| guard.keys.find(key));
    let Some((id, name)) = (presented.len() <= MOST_KEYS).then(good).flatten() else {
        return guard.reject(address_of(&request, guard.trusted_proxies), !presented.is_empty()).await;
    };
    // The handlers do not need the keys.
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(API_KEY_HEADER);
    request.extensions_mut().insert(id);
    if let Some(record) = request.extensions().get::<SharedRecord>() {
        record.update(|record| record.api_key = Some(name));
    }
    next.run(request).await
}

impl KeyGuard {
    /// The response to a request without a valid key.
    async fn reject(&self, address: CallerId, has_key: bool) -> Response {
        let limited = self.failures.check(address).await.err();
        self.metrics.unauthenticated(limited.is_some());
        let error = match limited {
            Some(retry_after) => ApiError::AuthenticationLimited { retry_after },
            None => ApiError::Unauthorized { has_key },
        };
        error.into_response()
    }
}

/// The keys in a request's head, at most one more than is allowed. Empty keys are ignored.
fn presented(headers: &HeaderMap) -> Vec<&[u8]> {
    let bearer = headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| bearer(value.as_bytes()));
    let own = headers.get_all(API_KEY_HEADER).into_iter().map(|value| value.as_bytes().trim_ascii());
    bearer.chain(own).filter(|key| !key.is_empty()).take(MOST_KEYS + 1).collect()
}

/// The token of the scheme Bearer, whose name is case-insensitive (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(BEARER.len())?;
    let spaced = token.first() == Some(&b' ');
    (scheme.eq_ignore_ascii_case(BEARER) && spaced).then(|| token.trim_ascii())
}
