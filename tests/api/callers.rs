//! Rate limits, and the identification of callers.

use crate::helpers::{App, expected, header, metric, someone, summary};
use crate::stub::{Stub, identity};
use reqwest::Response;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const INVOKE: &str = "/2015-03-31/functions/verify/invocations";

/// Sends a request as the proxies in front would forward it, with each line in a separate header.
async fn forwarded(app: &App, lines: &[&str]) -> Response {
    let request = app.client.post(app.url("/verify")).json(&someone());
    let request = lines.iter().fold(request, |request, line| request.header("x-forwarded-for", *line));
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_caller_above_its_rate_limit_gets_retry_after_without_a_call_to_sts() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=2/h"]).await;
    for _ in 0..2 {
        assert_eq!(app.verify_someone().await.status(), 200);
    }
    let response = app.verify_someone().await;
    let seconds: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((1..=1800).contains(&seconds), "two an hour are one in half an hour: {seconds}");
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(summary(response).await, expected(429, "", "RateLimited"));
    assert_eq!(stub.count(), 2);
    assert_eq!(metric(&app, "sts_verify_rate_limited_total").await, Some(1.0));
    assert_eq!(metric(&app, "sts_verify_errors_total{code=\"RateLimited\"}").await, Some(1.0));
}

#[tokio::test]
async fn a_burst_may_be_more_than_the_rate() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=1/h", "--rate-burst=4"]).await;
    for status in [200, 200, 200, 200, 429, 429] {
        assert_eq!(app.verify_someone().await.status(), status);
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_caller_is_the_proxy_s_entry() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=1/h", "--trusted-proxies=1"]).await;
    for (lines, status) in [
        (&["198.51.100.7"] as &[&str], 200),
        (&["198.51.100.7"], 429),
        // The client's own entries are to the left of it, in the same line or in another.
        (&["203.0.113.1, 198.51.100.7"], 429),
        (&["203.0.113.2", "198.51.100.7:40000"], 429),
        (&["198.51.100.8"], 200),
        (&["198.51.100.7, 198.51.100.9"], 200),
        // The whole network of a subscriber counts as one caller.
        (&["2001:db8:1:2::1"], 200),
        (&["[2001:db8:1:2:ffff::9]:40000"], 429),
        (&["2001:db8:1:3::1"], 200),
        // Without a valid address, the peer's address is used.
        (&["unknown"], 200),
        (&["someone else"], 429),
        (&[], 429),
    ] {
        assert_eq!(forwarded(&app, lines).await.status(), status, "{lines:?}");
    }
}

#[tokio::test]
async fn entries_are_counted_from_the_right_over_as_many_proxies_as_are_trusted() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=1/h", "--trusted-proxies=2"]).await;
    for (lines, status) in [
        (&["198.51.100.7, 10.0.0.1"] as &[&str], 200),
        (&["198.51.100.7", "10.0.0.2"], 429),
        (&["203.0.113.1, 198.51.100.7", "10.0.0.2"], 429),
        (&["198.51.100.8, 10.0.0.1"], 200),
        // With an entry missing, the request did not come through both proxies.
        (&["198.51.100.9"], 200),
        (&["198.51.100.10"], 429),
    ] {
        assert_eq!(forwarded(&app, lines).await.status(), status, "{lines:?}");
    }
}

#[tokio::test]
async fn without_a_trusted_proxy_the_header_does_not_change_the_caller() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=1/h"]).await;
    assert_eq!(forwarded(&app, &["198.51.100.7"]).await.status(), 200);
    assert_eq!(forwarded(&app, &["198.51.100.8"]).await.status(), 429);
}

#[tokio::test]
async fn the_lambda_interface_counts_too_and_refuses_with_lambdas_error() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=1/h"]).await;
    assert_eq!(app.verify_someone().await.status(), 200);
    let response = app.client.post(app.url(INVOKE)).json(&someone()).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "x-amzn-errortype"), Some("TooManyRequestsException"));
    assert!(header(&response, "retry-after").is_some());
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["Type"], "User", "{body}");
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn requests_without_a_call_to_sts_are_not_rate_limited() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=1/h"]).await;
    for _ in 0..3 {
        for path in ["/livez", "/readyz", "/healthz", "/metrics", "/openapi.json", "/docs/"] {
            assert_eq!(app.get(path).await.status(), 200, "{path}");
        }
        let preflight = app.client.request(reqwest::Method::OPTIONS, app.url("/verify"));
        let preflight = preflight.header("origin", "https://a.example");
        let preflight = preflight.header("access-control-request-method", "POST");
        assert_eq!(preflight.send().await.unwrap().status(), 200);
    }
    assert_eq!(app.verify_someone().await.status(), 200);
    assert_eq!(app.verify_someone().await.status(), 429);
    assert_eq!(app.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn a_refused_body_is_answered_without_waiting_for_it() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=1/h", "--read-timeout=1h"]).await;
    assert_eq!(app.verify_someone().await.status(), 200);
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head =
        "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 429");
}
