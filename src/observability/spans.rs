//! The spans of a request, if a collector is configured: one for its response, and in it one for the call to
//! STS.
//!
//! Attributes follow OpenTelemetry's semantic conventions for HTTP servers and for the AWS SDK. Every value is
//! from a fixed list, a number, or one that the log may contain, too. Values that a caller chooses are left
//! out, even if the conventions require them: paths, queries, user agents, addresses, request ids.

use super::{CLIENT_CLOSED_REQUEST, CallRecord, request_id_for_log};
use crate::observability::metrics::{known_code, outcome_name};
use crate::observability::otlp::Exporter;
use crate::observability::trace::{CURRENT, Origin};
use crate::sts::{CallOutcome, StsClient, StsFailure, StsResponse, Verdict};
use http::Version;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::Span;
use std::sync::OnceLock;
use url::Url;

/// Set once, before the first request, if at all. Without it no span is made.
static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// Sets the exporter for spans. There is one per process: a second one is ignored.
pub fn export(exporter: Exporter) -> &'static Exporter {
    EXPORTER.get_or_init(|| exporter)
}

/// The span of a request, if it is to be recorded. The trace is the one of [`CURRENT`].
pub(crate) fn begin(
    method: &'static str,
    route: Option<&str>,
    version: Version,
    origin: &Origin,
) -> Option<Context> {
    let exporter = EXPORTER.get().filter(|exporter| exporter.wants(origin))?;
    let method = if method == "other" { "_OTHER" } else { method };
    let verb = if method == "_OTHER" { "HTTP" } else { method };
    let name = route.map_or_else(|| verb.to_owned(), |route| format!("{verb} {route}"));
    let version = format!("{version:?}");
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.scheme", exporter.scheme()),
        KeyValue::new("network.protocol.version", version.trim_start_matches("HTTP/").to_owned()),
    ];
    attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
    let tracer = exporter.tracer();
    let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
    let span = tracer.build_with_context(builder, &parent(origin));
    Some(Context::new().with_span(span))
}

/// The caller's span, if it named one.
fn parent(origin: &Origin) -> Context {
    let Some(span_id) = origin.parent else { return Context::new() };
    let state = origin.state.clone();
    let caller = SpanContext::new(origin.trace_id, span_id, TraceFlags::SAMPLED, true, state);
    Context::new().with_remote_span_context(caller)
}

/// Ends the span of the request that this task handles: it was answered, or its client has left.
pub(crate) fn end(status: u16, code: Option<&str>, record: &CallRecord) {
    let Some(context) = current() else { return };
    let span = context.span();
    let error = match status {
        CLIENT_CLOSED_REQUEST => Some("client_closed_request".to_owned()),
        500.. => Some(status.to_string()),
        _ => None,
    };
    if status != CLIENT_CLOSED_REQUEST {
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    }
    if let Some(error) = error {
        span.set_attribute(KeyValue::new("error.type", error));
        span.set_status(Status::error(""));
    }
    let own = [
        ("sts_verify.verdict", record.verdict.map(Verdict::as_str).map(str::to_owned)),
        ("sts_verify.error_code", code.map(|code| known_code(code).to_owned())),
        ("sts_verify.access_key", record.access_key.clone()),
        ("sts_verify.fault", record.fault.map(str::to_owned)),
    ];
    for (name, value) in own.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        span.set_attribute(KeyValue::new(name, value));
    }
    span.end();
}

fn current() -> Option<Context> {
    CURRENT.try_with(|current| current.span.clone()).ok().flatten()
}

/// The span of a call to STS with all its attempts. If it is dropped before the end, it has only its first
/// attributes.
pub(crate) struct StsSpan(Option<Span>);

impl StsSpan {
    /// Begins the span of a call for the request that this task handles.
    pub(crate) fn begin(region: &StsClient) -> Self {
        let Some((exporter, context)) = EXPORTER.get().zip(current()) else { return Self(None) };
        let url = Url::parse(region.endpoint().as_str()).ok();
        let mut attributes = vec![
            KeyValue::new("rpc.system", "aws-api"),
            KeyValue::new("rpc.service", "STS"),
            KeyValue::new("rpc.method", "GetCallerIdentity"),
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("cloud.region", region.name().clone()),
        ];
        if let Some(url) = url {
            attributes.extend(url.host_str().map(|host| KeyValue::new("server.address", host.to_owned())));
            let port = url.port_or_known_default();
            attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
        }
        let tracer = exporter.tracer();
        let builder = tracer.span_builder("STS.GetCallerIdentity").with_kind(SpanKind::Client);
        Self(Some(tracer.build_with_context(builder.with_attributes(attributes), &context)))
    }

    /// Ends the span with the outcome of the call.
    pub(crate) fn end(self, call: &CallOutcome) {
        let Some(mut span) = self.0 else { return };
        let outcome = outcome_name(&call.outcome);
        let (status, request_id) = match &call.outcome {
            Ok(StsResponse::Identity(identity)) => (Some(identity.status), identity.request_id.as_deref()),
            Ok(StsResponse::Rejection(rejection)) => {
                (Some(rejection.status), rejection.request_id.as_deref())
            }
            Err(StsFailure::NotSts { status, .. }) => (Some(*status), None),
            Err(_) => (None, None),
        };
        let error = match &call.outcome {
            Ok(StsResponse::Identity(_)) => None,
            Ok(StsResponse::Rejection(rejection)) => Some(known_code(&rejection.code)),
            Err(_) => Some(outcome),
        };
        span.set_attribute(KeyValue::new("sts_verify.outcome", outcome));
        span.set_attribute(KeyValue::new("sts_verify.retries", i64::from(call.retries)));
        if let Some(status) = status {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        if let Some(id) = request_id_for_log(request_id) {
            span.set_attribute(KeyValue::new("aws.request_id", id.to_owned()));
        }
        if let Some(error) = error {
            span.set_attribute(KeyValue::new("error.type", error));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}
