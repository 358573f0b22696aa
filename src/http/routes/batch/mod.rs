//! `POST /verify/batch`: many verify requests in one HTTP request, one per line. Each is answered as soon as
//! its answer is known.
//!
//! The work runs in a task of its own, which ends with the response body. Answers that the client has not read
//! are kept, up to a limit. Nothing of a line is kept after its answer.

mod answers;
mod lines;
mod work;

use crate::http::connection::ClientConnection;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::media_type::require_ndjson;
use crate::http::middleware::access_log::LogAtEndOfBody;
use crate::http::middleware::client_address::caller_of;
use crate::http::state::SharedState;
use crate::observability::trace::CURRENT;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lines::{LineError, Lines};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use work::Batch;

/// The path of the route.
pub(crate) const PATH: &str = "/verify/batch";

/// The media type of bodies with one JSON value per line.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// Without it nginx buffers responses.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Verify many AWS credentials
///
/// Each line of the body is a request as for POST /verify; blank lines are ignored. Each line gets one line in
/// the response, in any order, as soon as its answer is known: the line's number, counted from 1, and the
/// status, the verdict, the seconds of `Retry-After` and the body that POST /verify would have answered. An
/// error in one line does not end the others.
///
/// Each line counts for the caller's rate limit and needs a permit among the requests in flight; it waits for
/// both. The first line above the maximum number is answered with 413 and ends the reading. At the deadline of
/// the batch, lines that were read and not answered get 504.
#[utoipa::path(
    post,
    path = "/verify/batch",
    operation_id = "verifyBatch",
    tag = "verify",
    security((), ("bearer" = []), ("apiKey" = [])),
    request_body(content = String, content_type = "application/x-ndjson", description = "One JSON object per line"),
    responses(
        (status = 200, description = "The first line was read; one answer per line", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "The body ended within its first line", body = ErrorBody),
        (status = 401, description = "The service requires an API key, and the request has no valid one", body = ErrorBody),
        (status = 408, description = "No line came before the deadline of the batch", body = ErrorBody),
        (status = 415, description = "The Content-Type is another one, or there is a Content-Encoding", body = ErrorBody),
        (status = 421, description = "The service is not allowed to answer for that host", body = ErrorBody),
        (status = 429, description = "Too many requests without a valid API key", body = ErrorBody),
        (status = 500, description = "A fault of this service", body = ErrorBody),
    )
)]
pub(crate) async fn verify_batch(State(app): State<SharedState>, request: Request) -> Response {
    if let Err(error) = require_ndjson(request.headers()) {
        return error.into_response();
    }
    let deadline = Instant::now() + app.batch.deadline;
    let caller = caller_of(&request, app.trusted_proxies);
    let record = request.extensions().get().cloned().unwrap_or_default();
    let client = ClientConnection::of(&request);
    let mut lines = Lines::new(request.into_body(), app.max_body_bytes, app.batch.lines as u64);
    let first = match timeout_at(deadline, lines.next()).await {
        Err(_) => return ApiError::BodyTimeout.into_response(),
        Ok(None) => return streamed(Body::empty()),
        Ok(Some(line)) if line.text.as_ref().is_err_and(|bad| *bad == LineError::CutOff) => {
            return ApiError::BodyCutOff.into_response();
        }
        Ok(Some(first)) => first,
    };
    let (answers, body) = answers::channel();
    let batch =
        Batch { app, caller, record, lines, answers, unanswered: BTreeSet::new(), turn: Arc::default() };
    let work = batch.run(first, deadline);
    let mut task = JoinSet::new();
    match CURRENT.try_with(Clone::clone) {
        Ok(current) => task.spawn(CURRENT.scope(current, work)),
        Err(_) => task.spawn(work),
    };
    streamed(body.of(task, client))
}

fn streamed(body: Body) -> Response {
    let mut response = ([(CONTENT_TYPE, NDJSON), (UNBUFFERED, "no")], body).into_response();
    response.extensions_mut().insert(LogAtEndOfBody);
    response
}
