//! Traces: the trace ID in the log, and the spans that a collector receives.

use crate::collector::{Collector, attributes, hex};
use crate::helpers::{expected, someone, summary};
use crate::program::{Scratch, Service, json};
use crate::stub::{EXPIRED, Reply, Stub, identity, sts_error};
use crate::wire::{Authority, Gate, Pair, tls, tls_with};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use serde_json::json;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// So long that spans are exported only at shutdown.
const NEVER: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// A service that uses this STS, and exports to this collector at shutdown.
async fn traced(sts: &str, collector: &str, more: &[(&str, &str)]) -> Service {
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

#[tokio::test]
async fn nothing_is_exported_unless_it_is_enabled() {
    let stub = Stub::always(identity()).await;
    for switch in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        let collector = Collector::start().await;
        let service = traced(&stub.url, &collector.url, &[switch]).await;
        service.verify_someone().await;
        assert_eq!(service.stop().await.code, Some(0));
        assert!(collector.posts().is_empty(), "{switch:?}");
    }
}

#[tokio::test]
async fn the_collector_gets_the_values_of_the_variables() {
    let (stub, collector) = (Stub::always(identity()).await, Collector::start().await);
    let endpoint = format!("{}/of/traces", collector.url);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=wrong"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=a%20key, x-tenant=blue"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", ""),
        ("OTEL_SERVICE_NAME", "verify-blue"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=pro%64,service.name=other,service.version=9",
        ),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        NEVER,
        ("STS_VERIFY_LOG", "trace"),
    ];
    let service = Service::asking(&stub.url, &variables).await;
    service.verify_someone().await;
    let end = service.stop().await;
    assert_eq!(collector.posts().len(), 2, "one span a post");
    for post in collector.posts() {
        let head = post.head.to_lowercase();
        assert!(head.starts_with("post /of/traces http/1.1"), "{head}");
        for header in ["content-type: application/x-protobuf", "api-key: a key", "x-tenant: blue"] {
            assert!(head.contains(&format!("\r\n{header}")), "{head}");
        }
    }
    let resource = collector.resource();
    for (name, value) in [
        ("service.name", "verify-blue"),
        ("service.version", "9"),
        ("deployment.environment.name", "prod"),
        ("telemetry.sdk.name", "opentelemetry"),
    ] {
        assert_eq!(resource[name], value, "{resource:?}");
    }
    assert!(!end.stdout.iter().any(|line| line.contains("a key") || line.contains("a%20key")), "{end:?}");
}

#[tokio::test]
async fn the_paths_and_the_name_are_the_usual_ones() {
    let (stub, collector) = (Stub::always(identity()).await, Collector::start().await);
    let service = traced(&stub.url, &format!("{}/", collector.url), &[]).await;
    service.get("/livez").await;
    service.stop().await;
    assert!(collector.posts()[0].head.starts_with("POST /v1/traces HTTP/1.1"), "{:?}", collector.posts());
    assert_eq!(collector.resource()["service.name"], "sts-verify");
    assert_eq!(collector.resource()["service.version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_collector_with_a_trusted_certificate_gets_posts() {
    let (stub, collector) = (Stub::always(identity()).await, Collector::start().await);
    let (authority, other) = (Authority::new("collector"), Authority::new("no-collector"));
    let front = tls(&authority, &["127.0.0.1"], &collector.url).await;
    let url = format!("https://{}", front.address);
    for (variable, bundle) in
        [("OTEL_EXPORTER_OTLP_CERTIFICATE", &other.bundle), ("SSL_CERT_FILE", &other.bundle)]
    {
        let service = traced(&stub.url, &url, &[(variable, bundle)]).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
        assert_eq!(service.stop().await.code, Some(0));
        assert!(collector.posts().is_empty(), "{variable}");
    }
    for (variable, bundle) in [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &authority.bundle),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", &authority.bundle),
        ("SSL_CERT_FILE", &authority.bundle),
    ] {
        let before = collector.spans().len();
        let service = traced(&stub.url, &url, &[(variable, bundle)]).await;
        service.verify_someone().await;
        assert_eq!(service.stop().await.code, Some(0));
        assert_eq!(collector.spans().len(), before + 2, "{variable}");
    }
}

#[tokio::test]
async fn a_collector_with_a_certificate_of_its_own_in_the_bundle_is_posted_to() {
    let (stub, collector) = (Stub::always(identity()).await, Collector::start().await);
    let files = Scratch::new("own-collector");
    let another = std::fs::read_to_string(Authority::new("other-collector").bundle).unwrap();
    let pair = Pair::self_signed(&["127.0.0.1"], true, 4096);
    let front = tls_with(&pair, &collector.url).await;
    // Joined without a line end.
    let bundle = files.file("own.pem", &format!("{}{}", another.trim_end(), pair.certificate));
    let certificate = ("OTEL_EXPORTER_OTLP_CERTIFICATE", bundle.as_str());
    let service = traced(&stub.url, &format!("https://{}", front.address), &[certificate]).await;
    service.verify_someone().await;
    assert_eq!(service.stop().await.code, Some(0));
    assert_eq!(collector.spans().len(), 2);
}

#[tokio::test]
async fn a_silent_collector_delays_neither_an_answer_nor_the_shutdown() {
    let (stub, collector) = (Stub::always(identity()).await, Collector::answering(None).await);
    let more = [("OTEL_BSP_SCHEDULE_DELAY", "1"), ("OTEL_BSP_MAX_QUEUE_SIZE", "4")];
    let long = ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000");
    let service = traced(&stub.url, &collector.url, &[more.as_slice(), &[long]].concat()).await;
    service.verify_someone().await;
    collector.was_posted(1).await;
    // More than the queue holds.
    for _ in 0..20 {
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    }
    let end = service.stop().await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
    assert!(end.stdout.iter().any(|line| line.contains("could not be delivered")), "{end:?}");
}

#[tokio::test]
async fn a_refusing_collector_is_logged_once() {
    let (stub, collector) = (Stub::always(identity()).await, Collector::answering(Some(403)).await);
    let often = [("OTEL_BSP_SCHEDULE_DELAY", "1"), ("STS_VERIFY_LOG", "trace")];
    let service = traced(&stub.url, &collector.url, &often).await;
    for posts in 1..=5 {
        service.get("/livez").await;
        collector.was_posted(posts).await;
    }
    let end = service.stop().await;
    let told: Vec<_> =
        end.stdout.iter().map(|line| json(line)).filter(|line| line["level"] == "WARN").collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["message"], "traces cannot be delivered");
    assert!(told[0]["reason"].as_str().unwrap().contains("403"), "{told:#?}");
    assert_eq!(told[0]["trace_id"], json!(null), "it is no request's line");
}
