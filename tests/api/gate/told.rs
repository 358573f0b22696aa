//! The metrics of gates. tests/process tests the log line.

use super::*;
use crate::helpers::metric;
use crate::stub::{Reply, Stub};

#[tokio::test]
async fn decisions_are_counted_by_policy() {
    let other = "[policy.q]\naccounts = [\"210987654321\"]\n";
    let (app, _) = gates_with_sandbox(&format!("{ALL}{other}"), &[]).await;
    let down = Stub::always(Reply::Close).await;
    let blind = gates_asking(&down.url, ALL, &[]).await;
    for (path, proof) in
        [("/auth/p", eks(USER)), ("/auth/p/x", eks(ROLE)), ("/auth/q", eks(USER)), ("/auth/p", String::new())]
    {
        ask(&app, path, &proof).await;
    }
    ask(&app, "/auth/p", "garbage").await;
    ask(&app, "/auth/somebody-s-choice", &eks(USER)).await;
    ask(&blind, "/auth/p", &eks(USER)).await;
    let count = async |app: &App, policy: &str, decision: &str| {
        let series = format!("sts_verify_gate_total{{policy=\"{policy}\",decision=\"{decision}\"}}");
        metric(app, &series).await
    };
    for (policy, decision, expected) in [
        ("p", "allowed", Some(2.0)),
        ("p", "unauthenticated", Some(2.0)),
        ("p", "denied", None),
        ("q", "denied", Some(1.0)),
        ("q", "allowed", None),
    ] {
        assert_eq!(count(&app, policy, decision).await, expected, "{policy} {decision}");
    }
    assert_eq!(count(&blind, "p", "unknown").await, Some(1.0));
    let text = app.get("/metrics").await.text().await.unwrap();
    assert!(!text.contains("somebody"), "no label is a client's choice");
    assert_eq!(metric(&app, "sts_verify_total{verdict=\"valid\",proof=\"signed_request\"}").await, Some(3.0));
}
