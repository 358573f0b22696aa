//! Traces: the trace ID in the log, and the spans of a request.

use crate::collector::{Collector, attributes, hex};
use crate::helpers::{expected, someone, summary};
use crate::program::Service;
use crate::stub::{EXPIRED, Reply, Stub, identity, sts_error};
use crate::wire::Gate;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use serde_json::json;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// So long that spans are exported only at shutdown.
pub const NEVER: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// A service that uses this STS, and exports to this collector at shutdown.
pub async fn traced(sts: &str, collector: &str, more: &[(&str, &str)]) -> Service {
    let usual = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector), NEVER];
    Service::asking(sts, &[usual.as_slice(), more].concat()).await
}

/// Sends one request with these headers, and returns its spans.
async fn spans_of(more: &[(&str, &str)], headers: &[(&'static str, &str)]) -> Vec<Span> {
    let (stub, collector) = (Stub::always(identity()).await, Collector::start().await);
    let service = traced(&stub.url, &collector.url, more).await;
    let request = headers
        .iter()
        .fold(service.request(&someone()), |request, (name, value)| request.header(*name, *value));
    assert_eq!(summary(request.send().await.unwrap()).await, expected(200, "valid", ""));
    assert_eq!(service.stop().await.code, Some(0));
    collector.spans()
}

#[tokio::test]
async fn a_request_is_a_span_and_its_call_to_sts_is_one_in_it() {
    let stub = Stub::replies(vec![sts_error(500, "InternalFailure", "an error"), identity()]).await;
    let collector = Collector::start().await;
    let service = traced(&stub.url, &collector.url, &[]).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    let line = service.program.message("request").await;
    assert_eq!(service.stop().await.code, Some(0));
    let [client, server] = &collector.spans()[..] else { panic!("{:?}", collector.spans()) };
    assert_eq!(line["trace_id"], hex(&server.trace_id));
    assert_eq!((&client.trace_id, &client.parent_span_id), (&server.trace_id, &server.span_id));
    assert!(server.parent_span_id.is_empty());
    assert_eq!((server.name.as_str(), server.kind()), ("POST /verify", SpanKind::Server));
    assert_eq!((client.name.as_str(), client.kind()), ("STS.GetCallerIdentity", SpanKind::Client));
    assert_eq!(
        json!(attributes(&server.attributes)),
        json!({
            "http.request.method": "POST", "http.route": "/verify", "http.response.status_code": "200",
            "url.scheme": "http", "network.protocol.version": "1.1", "sts_verify.verdict": "valid",
            "sts_verify.access_key": "AKIA…MPLE",
        })
    );
    let port = stub.url.rsplit(':').next().unwrap();
    assert_eq!(
        json!(attributes(&client.attributes)),
        json!({
            "rpc.system": "aws-api", "rpc.service": "STS", "rpc.method": "GetCallerIdentity",
            "http.request.method": "POST", "http.response.status_code": "200", "cloud.region": "us-east-1",
            "server.address": "127.0.0.1", "server.port": port, "sts_verify.outcome": "identity",
            "sts_verify.retries": "1", "aws.request_id": "1020a616-1656-464c-9563-6690998cea47",
        })
    );
    assert!(server.end_time_unix_nano >= client.end_time_unix_nano);
}

#[tokio::test]
async fn the_error_attribute_of_a_span_is_from_a_closed_set() {
    let expired = sts_error(403, "ExpiredToken", EXPIRED);
    let replies = vec![expired, sts_error(403, "AWordOfItsOwn", "?"), Reply::Close];
    let (stub, collector) = (Stub::replies(replies).await, Collector::start().await);
    let service = traced(&stub.url, &collector.url, &[]).await;
    service.verify_someone().await;
    service.verify_someone().await;
    service.get("/a/secret?path").await;
    service.verify_someone().await;
    service.stop().await;
    let told: Vec<_> = collector
        .spans()
        .iter()
        .map(|span| {
            let of = attributes(&span.attributes);
            let of = |name: &str| of.get(name).cloned().unwrap_or_default();
            (span.name.clone(), of("sts_verify.error_code"), of("error.type"), of("sts_verify.verdict"))
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(a, b, c, d)| [a.as_str(), b, c, d]).collect();
    assert_eq!(
        told,
        [
            ["STS.GetCallerIdentity", "", "ExpiredToken", ""],
            ["POST /verify", "ExpiredToken", "", "invalid"],
            ["STS.GetCallerIdentity", "", "other", ""],
            ["POST /verify", "other", "", "indeterminate"],
            ["GET", "NotFound", "", ""],
            ["STS.GetCallerIdentity", "", "closed", ""],
            ["POST /verify", "ConnectionClosedError", "502", "indeterminate"],
        ]
    );
}

#[tokio::test]
async fn a_client_that_left_ends_both_spans() {
    let (gate, collector) = (Gate::start().await, Collector::start().await);
    let service = traced(&gate.url, &collector.url, &[]).await;
    let asking = tokio::spawn(service.request(&someone()).send());
    gate.was_asked(1).await;
    asking.abort();
    service.program.message("request").await;
    service.stop().await;
    let [client, server] = &collector.spans()[..] else { panic!("{:?}", collector.spans()) };
    assert_eq!(client.parent_span_id, server.span_id);
    let of = attributes(&server.attributes);
    assert_eq!(of["error.type"], "client_closed_request");
    assert!(!of.contains_key("http.response.status_code"));
}

#[tokio::test]
async fn the_caller_s_trace_is_continued() {
    let state = [("traceparent", &*traceparent("01")), ("tracestate", "rojo=1"), ("tracestate", "congo=2")];
    let spans = spans_of(&[], &state).await;
    let server = spans.last().unwrap();
    assert_eq!((hex(&server.trace_id).as_str(), hex(&server.parent_span_id).as_str()), (TRACE, PARENT));
    assert_eq!(server.trace_state, "rojo=1,congo=2");
    let root = "Root=1-67891233-abcdef012345678912345678";
    let spans =
        spans_of(&[], &[("x-amzn-trace-id", &format!("Self=1-67891234-12456789abcdef012345678;{root}"))])
            .await;
    assert_eq!(hex(&spans[1].trace_id), "67891233abcdef012345678912345678");
    assert!(spans[1].parent_span_id.is_empty(), "a load balancer has no span");
    let spans =
        spans_of(&[], &[("x-amzn-trace-id", &format!("{root};Parent=53995c3f42cd8ad8;Sampled=?"))]).await;
    assert_eq!(hex(&spans[1].parent_span_id), "53995c3f42cd8ad8");
}

#[tokio::test]
async fn the_caller_s_sampling_decision_applies_unless_the_operator_sets_one() {
    let unsampled = traceparent("00");
    let x_ray = "Root=1-67891233-abcdef012345678912345678;Sampled=0";
    let (no, yes) = (("traceparent", unsampled.as_str()), ("traceparent", &*traceparent("01")));
    let sampler = |name| ("OTEL_TRACES_SAMPLER", name);
    for (variables, header, spans) in [
        (vec![], no, 0),
        (vec![], ("x-amzn-trace-id", x_ray), 0),
        (vec![], yes, 2),
        (vec![sampler("always_on")], no, 2),
        (vec![sampler("always_off")], yes, 0),
        (vec![sampler("parentbased_always_off")], yes, 2),
        (vec![sampler("parentbased_always_off")], ("x-other", "1"), 0),
        (vec![sampler("traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")], yes, 0),
        (vec![sampler("parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "1.0")], ("x-other", "1"), 2),
        (vec![sampler("traceidratio")], no, 2),
    ] {
        assert_eq!(spans_of(&variables, &[header]).await.len(), spans, "{variables:?} {header:?}");
    }
}
