//! The one line that a request leaves in the log. Its span, where spans are exported, has the same life
//! ([`crate::observability::spans`]).
//!
//! A line names the route that matched, never the path or query as it was sent, and an access key as its first and
//! last four characters. Secrets are never passed to it: there is nothing here to redact.

use crate::callers::api_keys::KeyName;
use crate::credentials::redact::SHORTEST_PART;
use crate::observability::metrics::Metrics;
use crate::observability::trace::{CURRENT, Current, Origin};
use crate::observability::{
    CLIENT_CLOSED_REQUEST, CallRecord, UNMATCHED, account_for_log, code_for_log, request_id_for_log, spans,
};
use crate::sts::Verdict;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;
use tower::{Service, ServiceExt as _, service_fn};
use tracing::info;

/// The header by which a request is found again in the log.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Gives each request an id, a trace, a line in the log and its place in the metrics.
pub(crate) fn access_log<S>(
    inner: S,
    metrics: Arc<Metrics>,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send,
{
    service_fn(move |mut request: Request| {
        let id =
            request.headers().get(REQUEST_ID_HEADER).filter(|id| is_sane(id)).cloned().unwrap_or_else(new_id);
        let origin = Origin::of(request.headers());
        let mut current = Current { trace_id: origin.trace_id, span: None };
        let line = AccessLine::new(&request, &id, metrics.clone());
        let (route, version) = (line.route.as_ref().map(MatchedPath::as_str), request.version());
        current.span =
            CURRENT.sync_scope(current.clone(), || spans::begin(line.method, route, version, &origin));
        request.headers_mut().insert(REQUEST_ID_HEADER, id.clone());
        let answer = inner.clone().oneshot(request);
        CURRENT.scope(current, async move {
            let mut response = answer.await?;
            response.headers_mut().insert(REQUEST_ID_HEADER, id);
            line.write(&response);
            Ok(response)
        })
    })
}

/// A caller's id is taken over when it is short and plain, so that it can do no harm in a log, and cannot be a part of a
/// secret that slipped into it: words shorter than such a part, and hexadecimal numbers of any length, as ids are.
fn is_sane(id: &HeaderValue) -> bool {
    let in_base64 = |b: &u8| b.is_ascii_alphanumeric() || *b == b'=';
    let harmless = |word: &[u8]| word.len() < SHORTEST_PART || word.iter().all(u8::is_ascii_hexdigit);
    (1..=64).contains(&id.len())
        && id.as_bytes().iter().all(|b| in_base64(b) || b"-_.:".contains(b))
        && id.as_bytes().split(|b| !in_base64(b)).all(harmless)
}

/// A UUID of version 4. Its random bits come from where those of trace ids do, without a system call for each.
fn new_id() -> HeaderValue {
    let random = RandomIdGenerator::default().new_trace_id().to_bytes();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static(UNMATCHED))
}

/// The line of one request. Dropped before it was written, it says that the client left.
struct AccessLine {
    method: &'static str,
    route: Option<MatchedPath>,
    id: HeaderValue,
    metrics: Arc<Metrics>,
    started: Instant,
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
            written: false,
        }
    }

    fn write(mut self, response: &Response) {
        self.written = true;
        let (extensions, nothing_asked) = (response.extensions(), CallRecord::default());
        self.emit(response.status().as_u16(), extensions.get().unwrap_or(&nothing_asked), extensions.get());
    }

    fn emit(&self, status: u16, record: &CallRecord, api_key: Option<&KeyName>) {
        let route = self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        let took = self.started.elapsed();
        self.metrics.request_ended(self.method, route, status, took);
        spans::end(status, record);
        info!(
            method = self.method,
            route,
            status,
            duration_ms = took.as_secs_f64() * 1e3,
            request_id = self.id.to_str().unwrap_or_default(),
            verdict = record.verdict.map(Verdict::as_str),
            code = code_for_log(record.code.as_deref()),
            sts_request_id = request_id_for_log(record.sts_request_id.as_deref()),
            account = account_for_log(record.account.as_deref()),
            api_key = api_key.map(KeyName::as_str),
            access_key = record.access_key,
            region = record.region.as_deref(),
            retries = record.retries,
            shared = record.shared,
            fault = record.fault,
            "request"
        );
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        if !self.written {
            self.emit(CLIENT_CLOSED_REQUEST, &CallRecord::default(), None);
        }
    }
}

/// The method's name, if it is a usual one: any word can be sent as a method.
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
    USUAL.iter().position(|usual| usual == method).map_or("other", |place| NAMES[place])
}
