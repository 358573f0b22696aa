//! The delivery of spans to a collector: its settings, its certificate, and a collector that does not answer.

use crate::collector::Collector;
use crate::helpers::{expected, summary};
use crate::program::{Scratch, Service, json};
use crate::stub::{Stub, identity};
use crate::traces::{NEVER, traced};
use crate::wire::{Authority, Pair, tls, tls_with};
use serde_json::json;

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
