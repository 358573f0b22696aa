//! Coalescing: identical requests share one call to STS.

use crate::helpers::{App, header, metric, someone};
use crate::stub::{Reply, Stub, identity, sts_error};
use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

type Call = JoinHandle<reqwest::Result<Response>>;

fn call(app: &App) -> Call {
    tokio::spawn(app.client.post(app.url("/verify")).json(&someone()).send())
}

/// Waits until this many requests are waiting for STS. Their heads and bodies arrive in one piece, so an
/// active request has reached its call.
pub async fn waiting(app: &App, count: f64) {
    while metric(app, "http_server_active_requests").await != Some(count + 1.0) {}
}

/// The verdict of an answer, its cache status, and its body.
pub async fn told(response: Response) -> (String, Option<String>, Value) {
    let text = |name| header(&response, name).map(str::to_owned);
    let (verdict, status) = (text("x-sts-verdict").unwrap(), text("cache-status"));
    (verdict, status, response.json().await.unwrap())
}

#[tokio::test]
async fn simultaneous_identical_requests_share_one_call_and_its_result() {
    let (open, may) = watch::channel(false);
    let stub = Stub::start(move |n, _| match n {
        0 => sts_error(500, "InternalFailure", "an error"),
        _ => Reply::Held(may.clone(), Box::new(identity())),
    })
    .await;
    let app = App::asking(&stub.url, &[]).await;
    let calls: Vec<Call> = (0..20).map(|_| call(&app)).collect();
    waiting(&app, 20.0).await;
    open.send_replace(true);
    let mut shared = 0;
    for call in calls {
        let (verdict, status, body) = told(call.await.unwrap().unwrap()).await;
        assert_eq!(verdict, "valid");
        assert_eq!(body["aws_res"]["ResponseMetadata"]["RetryAttempts"], 1, "{body}");
        let collapsed = status.as_deref() == Some("sts-verify; fwd=miss; collapsed");
        assert!(collapsed || status.is_none(), "{status:?}");
        shared += usize::from(collapsed);
    }
    assert_eq!((shared, stub.count()), (19, 2), "one call of two attempts");
    assert_eq!(metric(&app, "sts_verify_shared_total{source=\"in_flight\"}").await, Some(19.0));
    assert_eq!(metric(&app, "sts_verify_shared_total{source=\"cache\"}").await, Some(0.0));
    assert_eq!(metric(&app, "sts_verify_total{verdict=\"valid\",proof=\"credentials\"}").await, Some(20.0));
    let calls = "sts_request_duration_seconds_count{region=\"us-east-1\",outcome=\"identity\"}";
    assert_eq!(metric(&app, calls).await, Some(1.0));
    assert_eq!(metric(&app, "sts_retries_total").await, Some(1.0));
}

#[tokio::test]
async fn a_failure_is_shared_as_well_and_then_forgotten() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(Reply::Close))).await;
    let app = App::asking(&stub.url, &["--max-attempts=1"]).await;
    let calls = [call(&app), call(&app)];
    waiting(&app, 2.0).await;
    open.send_replace(true);
    for call in calls {
        let (verdict, _, body) = told(call.await.unwrap().unwrap()).await;
        assert_eq!(
            (verdict.as_str(), &body["error_code"]),
            ("indeterminate", &json!("ConnectionClosedError"))
        );
    }
    assert_eq!(stub.count(), 1);
    assert_eq!(app.verify_someone().await.status(), 502);
    assert_eq!(stub.count(), 2);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_end_the_call_of_others() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = App::asking(&stub.url, &[]).await;
    let first = call(&app);
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    let others = [call(&app), call(&app)];
    waiting(&app, 3.0).await;
    first.abort();
    waiting(&app, 2.0).await;
    open.send_replace(true);
    for call in others {
        let (verdict, status, _) = told(call.await.unwrap().unwrap()).await;
        assert_eq!((verdict.as_str(), status.as_deref()), ("valid", Some("sts-verify; fwd=miss; collapsed")));
    }
    assert_eq!(stub.count(), 1, "the call of the first went on");
}

#[tokio::test]
async fn the_last_caller_is_answered_however_many_leave() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = App::asking(&stub.url, &["--deadline=1h", "--attempt-timeout=1h"]).await;
    let mut leaving = Vec::new();
    for count in 1..=250_u16 {
        leaving.push(call(&app));
        // One after another, so that the first to arrive is the first to leave.
        waiting(&app, count.into()).await;
    }
    let last = call(&app);
    waiting(&app, 251.0).await;
    for (gone, call) in (1_u16..).zip(leaving) {
        call.abort();
        // With the scrape itself.
        let left = Some(f64::from(251 - gone + 1));
        while metric(&app, "http_server_active_requests").await > left {}
    }
    open.send_replace(true);
    assert_eq!(told(last.await.unwrap().unwrap()).await.0, "valid");
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn a_call_without_waiting_callers_releases_its_connection_at_once() {
    let stub = Stub::start(|n, _| if n == 0 { Reply::Silence } else { identity() }).await;
    let app =
        App::asking(&stub.url, &["--max-sts-connections=1", "--deadline=1h", "--attempt-timeout=1h"]).await;
    let calls = [call(&app), call(&app)];
    waiting(&app, 2.0).await;
    calls.iter().for_each(JoinHandle::abort);
    waiting(&app, 0.0).await;
    assert_eq!(told(app.verify_someone().await).await.0, "valid");
}

#[tokio::test]
async fn a_caller_that_joins_a_call_has_its_full_deadline() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = App::asking(&stub.url, &["--deadline=4s", "--attempt-timeout=4s"]).await;
    let first = call(&app);
    // Half of the first one's time has to pass: only this distinguishes the two.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = call(&app);
    let (verdict, status, body) = told(first.await.unwrap().unwrap()).await;
    assert_eq!((verdict.as_str(), status), ("indeterminate", None));
    assert_eq!(body["error_code"], "ReadTimeoutError", "{body}");
    open.send_replace(true);
    let (verdict, status, _) = told(second.await.unwrap().unwrap()).await;
    assert_eq!((verdict.as_str(), status.as_deref()), ("valid", Some("sts-verify; fwd=miss; collapsed")));
    assert_eq!(stub.count(), 2, "a second attempt was made for the one who still waited");
}

#[tokio::test]
async fn a_call_that_the_deadline_ends_is_counted() {
    let stub = Stub::always(Reply::Silence).await;
    let app =
        App::asking(&stub.url, &["--deadline=1500ms", "--attempt-timeout=1s", "--connect-timeout=1s"]).await;
    for call in [call(&app), call(&app)] {
        assert_eq!(call.await.unwrap().unwrap().status(), 504);
    }
    assert_eq!(stub.count(), 2, "in the middle of an attempt");
    let calls = "sts_request_duration_seconds_count{region=\"us-east-1\",outcome=\"read_timeout\"}";
    assert_eq!(metric(&app, calls).await, Some(1.0));
}
