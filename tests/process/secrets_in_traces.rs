//! No span that a collector receives contains a secret, even at the most verbose level.

use crate::collector::Collector;
use crate::secrets::{assert_nothing_told, everything, tells};
use crate::wire::{Authority, tls};

/// Everything that a collector receives of it.
async fn assert_nothing_traced(url: &str, collector: &Collector, bundle: &str) {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", url), ("OTEL_EXPORTER_OTLP_CERTIFICATE", bundle)];
    let (lines, count) = everything("json", &variables).await;
    assert_nothing_told(&lines);
    let spans = collector.spans();
    let servers = spans.iter().filter(|span| span.name != "STS.GetCallerIdentity").count();
    assert!(
        servers == count && spans.len() > count,
        "{servers} of {count} requests in {} spans",
        spans.len()
    );
    for post in collector.posts() {
        let bytes = [post.head.as_bytes(), &post.body].concat();
        // No part is split, because protobuf texts are contiguous.
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        assert!(!tells(&text), "{text}");
    }
}

#[tokio::test]
async fn a_collector_receives_no_secret() {
    let collector = Collector::start().await;
    assert_nothing_traced(&collector.url, &collector, "").await;
}

#[tokio::test]
async fn a_collector_behind_tls_receives_no_secret() {
    let (collector, authority) = (Collector::start().await, Authority::new("collector-of-secrets"));
    let front = tls(&authority, &["127.0.0.1"], &collector.url).await;
    assert_nothing_traced(&format!("https://{}", front.address), &collector, &authority.bundle).await;
}
