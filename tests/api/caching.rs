//! Caching: which answers of STS are kept, for which requests, and for how long.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, header, metric, someone};
use crate::sharing::told;
use crate::stub::{EXPIRED, Reply, Stub, http, identity, sts_error};
use serde_json::{Value, json};

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
