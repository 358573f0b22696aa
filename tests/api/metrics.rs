//! The metrics, read from /metrics as Prometheus reads them.

use crate::helpers::{App, SECRET_KEY, body_of, caller, header, metric as value, someone};
use crate::stub::{Reply, Stub, sts_error};
use serde_json::{Value, json};

#[tokio::test]
async fn verdicts_codes_and_retries_are_counted() {
    let app = App::with_sandbox(&[]).await;
    assert_eq!(value(&app, "sts_verify_total{verdict=\"invalid\",proof=\"credentials\"}").await, Some(0.0));
    for access_key in
        ["AKIASBXUSER00EXAMPLE", "ASIASBXEXPIREEXAMPLE", "AKIASBXFLAKY0EXAMPLE", "AKIASBXDENIEDEXAMPLE"]
    {
        app.verify(&body_of(caller(access_key))).await;
    }
    app.verify_text("{}").await;
    for (series, count) in [
        ("sts_verify_total{verdict=\"valid\",proof=\"credentials\"}", 2.0),
        ("sts_verify_total{verdict=\"invalid\",proof=\"credentials\"}", 1.0),
        ("sts_verify_total{verdict=\"indeterminate\",proof=\"credentials\"}", 1.0),
        ("sts_verify_errors_total{code=\"ExpiredToken\"}", 1.0),
        ("sts_verify_errors_total{code=\"MissingParameter\"}", 1.0),
        ("sts_retries_total", 2.0),
        ("sts_verify_shed_total", 0.0),
        ("sts_request_duration_seconds_count{region=\"us-east-1\",outcome=\"identity\"}", 2.0),
        ("sts_request_duration_seconds_count{region=\"us-east-1\",outcome=\"rejection\"}", 2.0),
        ("http_server_active_requests", 1.0),
        (&build_info(), 1.0),
    ] {
        assert_eq!(value(&app, series).await, Some(count), "{series}");
    }
    assert!(value(&app, "process_resident_memory_bytes").await > Some(1e6));
    assert!(value(&app, "process_open_fds").await > Some(3.0));
}

/// The running build, as the builder named it.
fn build_info() -> String {
    format!(
        "build_info{{version=\"{}\",revision=\"{}\",target=\"{}\"}}",
        env!("CARGO_PKG_VERSION"),
        env!("STS_VERIFY_REVISION"),
        env!("STS_VERIFY_TARGET")
    )
}

#[tokio::test]
async fn routes_are_those_that_matched_and_a_client_that_left_is_counted() {
    let stub = Stub::always(Reply::Silence).await;
    let app = App::asking(&stub.url, &[]).await;
    app.get("/secret/path").await;
    app.client.request("BREW".parse().unwrap(), app.url("/verify")).send().await.unwrap();
    let series = |method: &str, route: &str, status: u16| {
        format!(
            "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",http_route=\"{route}\",\
             http_response_status_code=\"{status}\"}}"
        )
    };
    assert_eq!(value(&app, &series("GET", "unmatched", 404)).await, Some(1.0));
    assert_eq!(value(&app, &series("other", "/verify", 405)).await, Some(1.0));
    let call = tokio::spawn(app.client.post(app.url("/verify")).json(&someone()).send());
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    while value(&app, &series("POST", "/verify", 499)).await != Some(1.0) {}
    assert_eq!(value(&app, "http_server_active_requests").await, Some(1.0), "the scrape itself");
}

#[tokio::test]
async fn nothing_that_a_caller_or_sts_can_choose_becomes_a_label() {
    let stub = Stub::always(sts_error(403, "CanaryCode", "canary")).await;
    let app = App::asking(&stub.url, &[]).await;
    app.verify(&json!({"AccessKeyId": "CANARY0123456789", "SecretAccessKey": SECRET_KEY})).await;
    app.verify(
        &json!({"AccessKeyId": "CANARY0123456789", "SecretAccessKey": SECRET_KEY, "region": "canary-1"}),
    )
    .await;
    app.get("/canary?canary").await;
    app.client.post(app.url("/2015-03-31/functions/canary/invocations")).body("{}").send().await.unwrap();
    let text = app.get("/metrics").await.text().await.unwrap();
    assert!(!text.to_lowercase().contains("canary"), "{text}");
    assert!(!text.contains("AKIA") && !text.contains("CANARY"));
    assert_eq!(value(&app, "sts_verify_errors_total{code=\"other\"}").await, Some(1.0));
}

#[tokio::test]
async fn on_a_listener_of_its_own_it_is_not_on_the_public_one() {
    let app = App::with_sandbox(&["--metrics-listen=127.0.0.1:0"]).await;
    assert_eq!(app.get("/metrics").await.status(), 404);
    let document: Value = app.get("/openapi.json").await.json().await.unwrap();
    assert_eq!(document["paths"]["/metrics"], Value::Null);
    assert_eq!(App::with_sandbox(&[]).await.get("/metrics").await.status(), 200);
}

/// The media type and the text for an `Accept`.
async fn figures(app: &App, accept: &str) -> (String, String) {
    let request = app.client.get(app.url("/metrics")).header("accept", accept);
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "vary"), Some("accept"));
    let media_type = header(&response, "content-type").unwrap().to_owned();
    (media_type, response.text().await.unwrap())
}

#[tokio::test]
async fn the_classic_format_is_returned_unless_openmetrics_is_requested() {
    let app = App::with_sandbox(&[]).await;
    app.verify(&body_of(caller("AKIASBXUSER00EXAMPLE"))).await;
    for accept in ["text/plain;version=0.0.4", "*/*"] {
        let (media_type, text) = figures(&app, accept).await;
        assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
        for line in [
            "# HELP sts_verify_total Verdicts given.",
            "# TYPE sts_verify_total counter",
            "sts_verify_total{verdict=\"valid\",proof=\"credentials\"} 1",
            "# TYPE process_cpu_seconds_total counter",
            "# TYPE http_server_request_duration_seconds histogram",
            "# TYPE build_info gauge",
            &format!("{} 1", build_info()),
        ] {
            assert!(text.lines().any(|of_text| of_text == line), "{line}\n{text}");
        }
        assert!(!text.contains("# EOF") && text.ends_with('\n'), "{text}");
    }
    let (media_type, text) = figures(&app, "application/openmetrics-text;version=1.0.0").await;
    assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in ["# TYPE sts_verify counter", "sts_verify_total{verdict=\"valid\",proof=\"credentials\"} 1"] {
        assert!(text.lines().any(|of_text| of_text == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn every_error_that_is_answered_is_counted_under_its_code() {
    let stub = Stub::always(Reply::Close).await;
    let app = App::asking(&stub.url, &["--max-body-bytes=100", "--rate-limit=1/h", "--rate-burst=3"]).await;
    let invoke = "/2015-03-31/functions/f/invocations";
    let post = |path: &str, kind: &str, body: String| {
        app.client.post(app.url(path)).header("content-type", kind).body(body).send()
    };
    app.get("/nothing").await;
    app.get("/verify").await;
    post("/verify", "text/plain", "x".to_owned()).await.unwrap();
    post("/verify", "application/json", "x".repeat(101)).await.unwrap();
    post(invoke, "application/json", "{".to_owned()).await.unwrap();
    post(invoke, "application/json", "{}".to_owned()).await.unwrap();
    for code in [
        "NotFound",
        "MethodNotAllowed",
        "UnsupportedMediaType",
        "RequestTooLarge",
        "InvalidRequestContentException",
        "RateLimited",
    ] {
        let series = format!("sts_verify_errors_total{{code=\"{code}\"}}");
        assert_eq!(value(&app, &series).await, Some(1.0), "{code}");
    }
}
