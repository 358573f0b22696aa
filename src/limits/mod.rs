//! Bounds on what callers can take: how often each may ask, and how many connections may be open.
//!
//! (How many requests may wait for STS is bounded by the places of [`crate::state`].)

mod address;
mod callers;
mod connections;
mod descriptors;

pub(crate) use callers::CallerLimit;
pub use callers::{PerCaller, Rate};
pub(crate) use connections::{Bounded, Connections, Seldom};
pub use descriptors::take_file_descriptors;

use crate::error::{ApiError, Refuse};
use crate::metrics::Metrics;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// What stands before the routes that ask STS.
#[derive(Clone)]
pub(crate) struct CallerGuard {
    pub limit: Arc<CallerLimit>,
    pub metrics: Arc<Metrics>,
    pub refuse: Refuse,
}

/// Lets a request through if its caller has not asked too often. Its body has not been read by then.
pub(crate) async fn limit_callers(
    State(guard): State<CallerGuard>,
    request: Request,
    next: Next,
) -> Response {
    match guard.limit.check(&request) {
        Ok(()) => next.run(request).await,
        Err(retry_after) => {
            guard.metrics.caller_limited();
            (guard.refuse)(ApiError::RateLimited { retry_after })
        }
    }
}
