//! Coalescing and caching: identical requests share one call to STS, and its answer may be cached.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, header, metric, someone};
use crate::stub::{EXPIRED, Reply, Stub, http, identity, sts_error};
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
async fn told(response: Response) -> (String, Option<String>, Value) {
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

#[tokio::test]
async fn answers_are_cached_only_if_the_operator_enables_it() {
    for reply in [identity(), sts_error(403, "ExpiredToken", EXPIRED)] {
        let stub = Stub::always(reply).await;
        let app = App::asking(&stub.url, &[]).await;
        for n in 1..=3 {
            let response = app.verify_someone().await;
            assert_eq!((header(&response, "cache-status"), header(&response, "age")), (None, None));
            assert_eq!(stub.count(), n);
        }
    }
}

#[tokio::test]
async fn a_cached_answer_is_unchanged_and_names_its_age() {
    for (reply, flag, ttl) in [
        (identity(), "--cache-valid=60s", 60),
        (sts_error(403, "ExpiredToken", EXPIRED), "--cache-expired=10m", 600),
    ] {
        let stub = Stub::always(reply).await;
        let app = App::asking(&stub.url, &[flag]).await;
        let (verdict, status, body) = told(app.verify_someone().await).await;
        assert_eq!(status, None);
        // Until it is a second old, because its age is in whole seconds.
        loop {
            let response = app.verify_someone().await;
            let age: u64 = header(&response, "age").expect("it is kept").parse().unwrap();
            assert_eq!(header(&response, "cache-control"), Some("no-store"), "others may not keep it");
            let (again, status, same) = told(response).await;
            assert_eq!((again, same), (verdict.clone(), body.clone()));
            let status = status.unwrap();
            let left: u64 = status.strip_prefix("sts-verify; hit; ttl=").unwrap().parse().unwrap();
            assert!(left == ttl - age || left == ttl - age - 1, "{status}, age {age}");
            if age > 0 {
                break;
            }
        }
        assert_eq!(stub.count(), 1);
        assert!(metric(&app, "sts_verify_shared_total{source=\"cache\"}").await >= Some(2.0));
    }
}

#[tokio::test]
async fn a_cached_answer_is_given_only_to_identical_requests() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--cache-valid=60s", "--allowed-regions=eu-west-1"]).await;
    let with = |name: &str, value: &str| {
        let mut body = someone();
        body[name] = json!(value);
        body
    };
    let questions = [
        someone(),
        with("stsAccessKey", "AKIAIOSFODNN7EXAMPLF"),
        with("stsSecretKey", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ"),
        with("stsSessionToken", "another"),
        with("stsSessionToken", ""),
        with("region", "eu-west-1"),
    ];
    for (n, question) in questions.iter().enumerate() {
        assert_eq!(header(&app.verify(question).await, "cache-status"), None);
        assert_eq!(stub.count(), n + 1);
    }
    // An equivalent request: with the name of the default region, and with other spellings.
    assert!(header(&app.verify(&with("region", "us-east-1")).await, "age").is_some());
    let spelled = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": null});
    assert!(header(&app.verify(&spelled).await, "age").is_some());
    // The Lambda interface: its envelope is unchanged, and the HTTP headers have the cache status.
    let request = app.client.post(app.url("/2015-03-31/functions/verify/invocations")).json(&someone());
    let response = request.send().await.unwrap();
    assert!(header(&response, "cache-status").unwrap().starts_with("sts-verify; hit"));
    let envelope: Value = response.json().await.unwrap();
    assert_eq!(envelope["headers"].as_object().unwrap().len(), 2);
    assert_eq!(stub.count(), questions.len());
}

#[tokio::test]
async fn a_cached_answer_expires() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--cache-valid=1s"]).await;
    app.verify_someone().await;
    assert_eq!(header(&app.verify_someone().await, "cache-status"), Some("sts-verify; hit; ttl=0"));
    // The time limit of the test is the assertion: without the limit this would not end.
    while header(&app.verify_someone().await, "age").is_some() {}
    assert_eq!(stub.count(), 2);
}

#[tokio::test]
async fn nothing_except_the_two_kinds_is_ever_cached() {
    for reply in [
        sts_error(400, "Throttling", "Rate exceeded"),
        sts_error(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
        sts_error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match"),
        sts_error(403, "AccessDenied", "User is not authorized"),
        sts_error(400, "RequestExpired", "Request has expired."),
        sts_error(500, "InternalFailure", "an error"),
        sts_error(302, "ExpiredToken", EXPIRED),
        sts_error(503, "ExpiredToken", EXPIRED),
        sts_error(403, "ExpiredToken", "The token is expired"),
        http(503, &[], ""),
        http(200, &[], "<html>sign in</html>"),
        Reply::Close,
    ] {
        let stub = Stub::always(reply).await;
        let flags = ["--cache-valid=60s", "--cache-expired=10m", "--max-attempts=1"];
        let app = App::asking(&stub.url, &flags).await;
        for n in 1..=2 {
            assert_eq!(header(&app.verify_someone().await, "cache-status"), None);
            assert_eq!(stub.count(), n);
        }
    }
}

#[tokio::test]
async fn each_kind_is_cached_by_its_own_setting() {
    for (reply, flag) in
        [(identity(), "--cache-expired=10m"), (sts_error(403, "ExpiredToken", EXPIRED), "--cache-valid=60s")]
    {
        let stub = Stub::always(reply).await;
        let app = App::asking(&stub.url, &[flag]).await;
        app.verify_someone().await;
        app.verify_someone().await;
        assert_eq!(stub.count(), 2, "{flag}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_read_where_an_answer_comes_from() {
    let app = App::with_sandbox(&[]).await;
    let response =
        app.client.get(app.url("/livez")).header("origin", "https://a.example").send().await.unwrap();
    let exposed = header(&response, "access-control-expose-headers").unwrap();
    assert!(exposed.contains("cache-status") && exposed.contains("age"), "{exposed}");
}
