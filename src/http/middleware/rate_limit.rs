//! How often each caller may ask: the layer before the routes that ask STS.

use super::client_address::caller_of;
use crate::callers::CallerLimit;
use crate::http::error::ApiError;
use crate::observability::metrics::Metrics;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// What stands before the routes that ask STS.
#[derive(Clone)]
pub(crate) struct CallerGuard {
    pub limit: Arc<CallerLimit>,
    /// How many proxies in front append to X-Forwarded-For.
    pub trusted_proxies: usize,
    pub metrics: Arc<Metrics>,
}

/// Lets a request through if its caller has not asked too often. Its body has not been read by then.
pub(crate) async fn limit_callers(
    State(guard): State<CallerGuard>,
    request: Request,
    next: Next,
) -> Response {
    match guard.limit.check(caller_of(&request, guard.trusted_proxies)).await {
        Ok(()) => next.run(request).await,
        Err(retry_after) => {
            guard.metrics.caller_limited();
            ApiError::RateLimited { retry_after }.into_response()
        }
    }
}
