//! The log line of each request. If spans are exported, the request's span begins and ends with it
//! ([`crate::observability::spans`]).
//!
//! A line names the route that matched, never the path or query as it was sent, and an access key as its first
//! and last four characters. Secrets are never passed to it: there is nothing here to redact.

use super::request_id::{REQUEST_ID_HEADER, request_id};
use crate::callers::api_keys::KeyName;
use crate::http::error::ApiError;
use crate::observability::metrics::Metrics;
use crate::observability::trace::{CURRENT, Current, Origin};
use crate::observability::{
    CLIENT_CLOSED_REQUEST, SharedRecord, UNMATCHED, account_for_log, code_for_log, request_id_for_log, spans,
    token_id_for_log,
};
use crate::sts::Verdict;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;
use tower::{Service, ServiceExt as _, service_fn};
use tracing::info;

/// Gives each request an id, a trace, a line in the log, and counts it in the metrics.
pub(crate) fn access_log<S>(
    inner: S,
    metrics: Arc<Metrics>,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send,
{
    service_fn(move |mut request: Request| {
        let id = request_id(request.headers());
        let origin = Origin::of(request.headers());
        let mut current = Current { trace_id: origin.trace_id, span: None };
        let line = AccessLine::new(&request, &id, metrics.clone());
        let (route, version) = (line.route.as_ref().map(MatchedPath::as_str), request.version());
        current.span =
            CURRENT.sync_scope(current.clone(), || spans::begin(line.method, route, version, &origin));
        request.headers_mut().insert(REQUEST_ID_HEADER, id.clone());
        request.extensions_mut().insert(line.record.clone());
        // Not `async`: a future that is captured and then awaited has two places in the one around it.
        let answer = inner.clone().oneshot(request).map(move |answer| {
            let mut response = answer?;
            response.headers_mut().insert(REQUEST_ID_HEADER, id);
            if response.extensions_mut().remove::<LogAtEndOfBody>().is_some() {
                return Ok(line.write_at_end(response));
            }
            line.write(&response);
            Ok(response)
        });
        CURRENT.scope(current, answer)
    })
}

/// In the extensions of a response: the line is written when the body has ended, with the outcome.
#[derive(Clone)]
pub(crate) struct LogAtEndOfBody;

/// The line of a response whose body is being sent. If it is dropped before the end, the line says that the
/// client left.
struct LineAtEnd {
    line: Option<AccessLine>,
    status: u16,
    current: Option<Current>,
}

impl LineAtEnd {
    fn end(&mut self, write: impl FnOnce(AccessLine)) {
        let Some(line) = self.line.take() else { return };
        match self.current.take() {
            // The body may be sent by another task than the request's.
            Some(current) => CURRENT.sync_scope(current, || write(line)),
            None => write(line),
        }
    }
}

impl Drop for LineAtEnd {
    fn drop(&mut self) {
        self.end(drop);
    }
}

/// The line of one request. If it is dropped before it was written, it says that the client left.
struct AccessLine {
    method: &'static str,
    route: Option<MatchedPath>,
    id: HeaderValue,
    metrics: Arc<Metrics>,
    started: Instant,
    /// What the layers and the handler have found out about the request.
    record: SharedRecord,
    written: bool,
}

impl AccessLine {
    fn new(request: &Request, id: &HeaderValue, metrics: Arc<Metrics>) -> Self {
        metrics.request_began();
        Self {
            method: method_name(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            id: id.clone(),
            metrics,
            started: Instant::now(),
            record: SharedRecord::default(),
            written: false,
        }
    }

    fn write(mut self, response: &Response) {
        self.written = true;
        let code = response.extensions().get().map(ApiError::code);
        self.emit(response.status().as_u16(), code.as_deref());
    }

    fn write_at_end(self, response: Response) -> Response {
        let status = response.status().as_u16();
        let current = CURRENT.try_with(Clone::clone).ok();
        let line = LineAtEnd { line: Some(self), status, current };
        response.map(|body| {
            Body::from_stream(stream::unfold(
                (body.into_data_stream(), line),
                |(mut body, mut at_end)| async {
                    let piece = body.next().await;
                    if piece.is_none() {
                        let status = at_end.status;
                        at_end.end(|mut line| {
                            line.written = true;
                            line.emit(status, None);
                        });
                    }
                    piece.map(|piece| (piece, (body, at_end)))
                },
            ))
        })
    }

    fn emit(&self, status: u16, code: Option<&str>) {
        let record = self.record.take();
        let route = self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        let took = self.started.elapsed();
        self.metrics.request_ended(self.method, route, status, took);
        if let Some(code) = code {
            self.metrics.error_answered(code);
        }
        spans::end(status, code, &record);
        info!(
            method = self.method,
            route,
            status,
            duration_ms = took.as_secs_f64() * 1e3,
            request_id = self.id.to_str().unwrap_or_default(),
            verdict = record.verdict.map(Verdict::as_str),
            code = code_for_log(code),
            sts_request_id = request_id_for_log(record.sts_request_id.as_deref()),
            account = account_for_log(record.account.as_deref()),
            api_key = record.api_key.as_ref().map(KeyName::as_str),
            policy = record.policy,
            proof = record.proof,
            access_key = record.access_key,
            web_identity_token_id = token_id_for_log(record.web_identity_token_id.as_deref()),
            region = record.region.as_deref(),
            retries = record.retries,
            shared = record.shared,
            lines = record.batch.map(|batch| batch.lines),
            valid = record.batch.map(|batch| batch.valid),
            invalid = record.batch.map(|batch| batch.invalid),
            indeterminate = record.batch.map(|batch| batch.indeterminate),
            fault = record.fault,
            "request"
        );
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        if !self.written {
            self.emit(CLIENT_CLOSED_REQUEST, None);
        }
    }
}

/// The method's name if it is a standard one: clients can send any word as a method.
fn method_name(method: &Method) -> &'static str {
    const USUAL: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::OPTIONS,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    const NAMES: [&str; 9] = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"];
    USUAL.iter().position(|usual| usual == method).map_or("other", |index| NAMES[index])
}
