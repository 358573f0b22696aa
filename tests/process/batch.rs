//! POST /verify/batch of the built program: proofs in a batch, and its only log line.

use crate::helpers::someone;
use crate::program::Service;
use crate::stub::{Reply, Stub, identity, sts_error};
use serde_json::json;

const NDJSON: &str = "application/x-ndjson";

#[tokio::test]
async fn a_batch_has_one_log_line_at_its_end_with_counts_and_no_content() {
    let stub =
        Stub::replies(vec![identity(), sts_error(403, "ExpiredToken", crate::stub::EXPIRED), Reply::Close])
            .await;
    let settings = [("STS_VERIFY_BATCH_IN_FLIGHT", "1"), ("AWS_MAX_ATTEMPTS", "1")];
    let service = Service::asking(&stub.url, &settings).await;
    let lines = format!("{0}\n{0}\n{0}\n\nnot json\n", someone());
    let request = service.client.post(service.url("/verify/batch"));
    let response = request.header("content-type", NDJSON).body(lines).send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.text().await.unwrap().lines().count(), 4);
    let line = service.program.message("request").await;
    let told = |name: &str| line[name].clone();
    assert_eq!(
        json!([
            told("route"),
            told("status"),
            told("lines"),
            told("valid"),
            told("invalid"),
            told("indeterminate")
        ]),
        json!(["/verify/batch", 200, 4, 1, 1, 1]),
        "{line}"
    );
    assert_eq!(told("request_id"), id);
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{line}");
    for of_one_line in ["access_key", "account", "verdict", "sts_request_id", "code"] {
        assert!(line.get(of_one_line).is_none_or(serde_json::Value::is_null), "{of_one_line}: {line}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_a_499_with_what_was_answered_by_then() {
    let stub = Stub::replies(vec![identity(), Reply::Silence]).await;
    let service = Service::asking(&stub.url, &[("STS_VERIFY_BATCH_IN_FLIGHT", "1")]).await;
    let request = service.client.post(service.url("/verify/batch"));
    let body = format!("{0}\n{0}\n", someone());
    let mut response = request.header("content-type", NDJSON).body(body).send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    let line = service.program.message("request").await;
    assert_eq!(
        (&line["status"], &line["lines"], &line["valid"]),
        (&json!(499), &json!(1), &json!(1)),
        "{line}"
    );
}
