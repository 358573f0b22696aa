//! Attempts, counted at STS: botocore's rules in its retry modes.

use crate::helpers::{App, expected, header, summary};
use crate::stub::{EXPIRED, Reply, Stub, UNKNOWN_KEY, WRONG_SECRET, http, identity, sts_error};
use serde_json::Value;

/// The number of calls that a stub gets from a service with these settings.
async fn attempts(reply: Reply, flags: &[&str]) -> usize {
    let stub = Stub::always(reply).await;
    App::asking(&stub.url, flags).await.verify_someone().await;
    stub.count()
}

#[tokio::test]
async fn each_mode_tries_as_often_as_boto3() {
    for (what, reply, legacy, standard) in [
        ("a connection closed", Reply::Close, 5, 3),
        ("Throttling at 400", sts_error(400, "Throttling", "Rate exceeded"), 5, 3),
        ("Throttling at 403", sts_error(403, "Throttling", "Rate exceeded"), 1, 3),
        ("SlowDown", sts_error(400, "SlowDown", "m"), 1, 3),
        ("an unknown 500", sts_error(500, "InternalFailure", "m"), 5, 3),
        ("an empty 503", http(503, &[], ""), 5, 3),
        ("a page with 502", http(502, &[], "<html>"), 5, 3),
        ("XML of another kind with 503", http(503, &[], "<!DOCTYPE html><html></html>"), 5, 3),
        ("JSON with 500", http(500, &[], "{}"), 1, 1),
        ("429", sts_error(429, "TooMany", "m"), 5, 3),
        ("a page with 429", http(429, &[], "<html></html>"), 5, 3),
        ("an empty 429", http(429, &[], ""), 1, 1),
        ("509", sts_error(509, "Bandwidth", "m"), 5, 1),
        ("501", sts_error(501, "NotImplemented", "m"), 1, 1),
        ("an expired token", sts_error(403, "ExpiredToken", "m"), 1, 1),
        ("a proxy's page with 200", http(200, &[], "<html></html>"), 1, 1),
        ("a success", identity(), 1, 1),
    ] {
        assert_eq!(attempts(reply.clone(), &[]).await, legacy, "legacy: {what}");
        assert_eq!(attempts(reply.clone(), &["--retry-mode=standard"]).await, standard, "standard: {what}");
        assert_eq!(attempts(reply, &["--retry-mode=adaptive"]).await, standard, "adaptive: {what}");
    }
}

#[tokio::test]
async fn aws_max_attempts_counts_all_of_them() {
    for (most, flag) in [(1, "--max-attempts=1"), (2, "--max-attempts=2"), (7, "--max-attempts=7")] {
        assert_eq!(attempts(http(503, &[], ""), &[flag]).await, most);
    }
}

#[tokio::test]
async fn a_success_tells_how_many_attempts_came_before_it() {
    for (before, reply) in
        [(1, Reply::Close), (2, http(500, &[], "")), (4, sts_error(400, "Throttling", "m"))]
    {
        let mut replies = vec![reply; before];
        replies.push(identity());
        let stub = Stub::replies(replies).await;
        let response = App::asking(&stub.url, &[]).await.verify_someone().await;
        assert_eq!(header(&response, "x-sts-verdict"), Some("valid"));
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["aws_res"]["ResponseMetadata"]["RetryAttempts"], before);
    }
}

#[tokio::test]
async fn no_delay_exceeds_the_deadline_and_sts_s_last_answer_is_returned() {
    let stub = Stub::always(sts_error(400, "Throttling", "Rate exceeded")).await;
    let flags = [
        "--retry-backoff=1h",
        "--deadline=1s",
        "--attempt-timeout=1s",
        "--connect-timeout=1s",
        "--max-attempts=9",
    ];
    let response = App::asking(&stub.url, &flags).await.verify_someone().await;
    assert_eq!(summary(response).await, expected(400, "indeterminate", "Throttling"));
    assert!(stub.count() < 9);
}

#[tokio::test]
async fn an_attempt_that_the_deadline_ends_does_not_hide_what_sts_said_before() {
    let replies = vec![sts_error(400, "Throttling", "Rate exceeded"), Reply::Silence];
    let stub = Stub::replies(replies).await;
    let flags = ["--deadline=400ms", "--attempt-timeout=400ms", "--connect-timeout=400ms"];
    let response = App::asking(&stub.url, &flags).await.verify_someone().await;
    assert_eq!(summary(response).await, expected(400, "indeterminate", "Throttling"));
    assert_eq!(stub.count(), 2);
}

#[tokio::test]
async fn sts_may_delay_an_attempt_in_standard_mode_but_not_beyond_the_deadline() {
    let busy = |wait: &str| http(503, &[("x-amz-retry-after", wait)], "");
    for (wait, mode, attempts) in [
        ("4000", "standard", 1),
        ("3600000", "standard", 1),
        ("1", "standard", 3),
        ("-4000", "standard", 3),
        ("soon", "standard", 3),
        ("4000", "legacy", 5),
    ] {
        let mode = format!("--retry-mode={mode}");
        // A wait of 4 s would go beyond it.
        let flags = [&mode, "--deadline=3s", "--attempt-timeout=3s"];
        assert_eq!(self::attempts(busy(wait), &flags).await, attempts, "{mode}, {wait}");
    }
    let twice = http(503, &[("x-amz-retry-after", "4000"), ("X-Amz-Retry-After", "4000")], "");
    assert_eq!(
        self::attempts(twice, &["--retry-mode=standard", "--deadline=3s", "--attempt-timeout=3s"]).await,
        3
    );
}

#[tokio::test]
async fn a_connection_is_used_again_only_after_a_good_answer() {
    const CALLS: usize = 20;
    for (what, reply, is_kept) in [
        ("a success", identity(), true),
        ("an expired token", sts_error(403, "ExpiredToken", EXPIRED), false),
        ("a key that is not known", sts_error(403, "InvalidClientTokenId", UNKNOWN_KEY), false),
        ("a wrong secret", sts_error(403, "SignatureDoesNotMatch", WRONG_SECRET), false),
        ("Throttling", sts_error(400, "Throttling", "Rate exceeded"), false),
        ("a page", http(200, &[], "<html></html>"), false),
        ("a redirect", http(302, &[("Location", "/")], ""), false),
        ("InternalFailure", sts_error(500, "InternalFailure", "m"), false),
        ("an empty 503", http(503, &[], ""), false),
    ] {
        let stub = Stub::always(reply).await;
        let app = App::asking(&stub.url, &["--max-attempts=1"]).await;
        for _ in 0..CALLS {
            app.verify_someone().await;
        }
        assert_eq!(stub.count(), CALLS);
        let connections = if is_kept { 1 } else { CALLS };
        assert_eq!(stub.connections(), connections, "{what}");
    }
}
