//! Limits how often each caller may send requests: the layer before the routes that call STS.

use super::client_address::caller_of;
use crate::callers::CallerLimit;
use crate::http::error::ApiError;
use crate::observability::metrics::Metrics;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// The state of the layer.
#[derive(Clone)]
pub(crate) struct CallerGuard {
    pub limit: Arc<CallerLimit>,
    /// The number of trusted proxies that append to X-Forwarded-For.
    pub trusted_proxies: usize,
    pub metrics: Arc<Metrics>,
}

/// Lets a request through if its caller is within its limit. Nothing of the body was read before.
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
