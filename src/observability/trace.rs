//! The trace of a request: the one in W3C's `traceparent`, else the one in ALB's `X-Amzn-Trace-Id`, else a new
//! one.
//!
//! A malformed header is ignored. OpenTelemetry's own propagator is not used, since it accepts malformed
//! headers (a version of one digit, ids that are too short or have a sign, a dash at the end) and the first of
//! several. Sources:
//! <https://www.w3.org/TR/trace-context/>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>,
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use http::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const AMAZON: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The maximum length of a `tracestate`: the length that W3C requires everybody to pass on. Longer ones are
/// dropped, which W3C allows.
const MAX_STATE: usize = 512;

/// The origin of a request in terms of traces.
#[derive(Debug, PartialEq)]
pub(crate) struct Origin {
    /// The trace, which is in the log line of every request.
    pub trace_id: TraceId,
    /// The caller's span.
    pub parent: Option<SpanId>,
    /// Whether the caller has the trace recorded, if it has decided.
    pub sampled: Option<bool>,
    /// The state that other tracing systems have added.
    pub state: TraceState,
}

impl Origin {
    /// Reads the headers of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        w3c(headers).or_else(|| amazon(headers)).unwrap_or_else(|| Self {
            trace_id: RandomIdGenerator::default().new_trace_id(),
            parent: None,
            sampled: None,
            state: TraceState::default(),
        })
    }
}

/// The trace of the request that is being handled.
#[derive(Clone)]
pub(crate) struct Current {
    /// Its id.
    pub trace_id: TraceId,
    /// Its span, if it is exported.
    pub span: Option<Context>,
}

tokio::task_local! {
    /// A task-local value, and not a span of `tracing`: log lines need only one number.
    pub(crate) static CURRENT: Current;
}

/// The trace of the request that this task handles; `None` outside of requests.
pub(crate) fn current_id() -> Option<TraceId> {
    CURRENT.try_with(|current| current.trace_id).ok()
}

/// `version-trace-parent-flags`. A version after 00 may have more fields after another dash.
fn w3c(headers: &HeaderMap) -> Option<Origin> {
    let mut fields = only(headers, &TRACEPARENT)?.split('-');
    let version = fields.next().filter(|text| is_hex(text, 2) && *text != "ff")?;
    let trace_id = trace_id(fields.next()?)?;
    let parent = span_id(fields.next()?)?;
    let flags = fields.next().filter(|text| is_hex(text, 2))?;
    if version == "00" && fields.next().is_some() {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some(Origin { trace_id, parent: Some(parent), sampled: Some(flags & 1 == 1), state: state(headers) })
}

/// The members of all `tracestate` headers in their order, or none if one is malformed.
fn state(headers: &HeaderMap) -> TraceState {
    let texts: Result<Vec<_>, _> = headers.get_all(TRACESTATE).iter().map(|value| value.to_str()).collect();
    let joined = texts.unwrap_or_default().join(",");
    if joined.len() > MAX_STATE {
        return TraceState::default();
    }
    joined.parse().unwrap_or_default()
}

/// Fields such as `Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1` in any order.
/// `Self` is the load balancer's own log entry and not part of the trace; other fields belong to the
/// application.
fn amazon(headers: &HeaderMap) -> Option<Origin> {
    let text = only(headers, &AMAZON)?;
    let fields = || text.split(';').filter_map(|field| field.trim().split_once('='));
    let field = |wanted| fields().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let (time, random) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    if time.len() != 8 {
        return None;
    }
    Some(Origin {
        trace_id: trace_id(&format!("{time}{random}"))?,
        parent: field("Parent").and_then(span_id),
        sampled: match field("Sampled") {
            Some("1") => Some(true),
            Some("0") => Some(false),
            // A question mark leaves the decision to the next service, as does a missing field.
            _ => None,
        },
        state: TraceState::default(),
    })
}

/// A header that occurs once. Two headers would be ambiguous.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let text = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(text)
}

fn trace_id(text: &str) -> Option<TraceId> {
    let id = is_hex(text, 32).then(|| TraceId::from_hex(text).ok()).flatten();
    id.filter(|id| *id != TraceId::INVALID)
}

fn span_id(text: &str) -> Option<SpanId> {
    let id = is_hex(text, 16).then(|| SpanId::from_hex(text).ok()).flatten();
    id.filter(|id| *id != SpanId::INVALID)
}

/// Both standards require lower case.
fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
#[path = "trace/tests.rs"]
mod tests;
