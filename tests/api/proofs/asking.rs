//! The calls to STS for a signed request: their content, number, connection and coalescing.

use super::{ROLE, USER, app_asking, post, posted, said, signer, valid};
use crate::helpers::{App, caller, header, metric};
use crate::proof_makers::{AUDIENCE, Signer};
use crate::sharing::waiting;
use crate::stub::{EXPIRED, Reply, Stub, WRONG_SECRET, http, identity, sts_error};
use reqwest::Response;
use serde_json::Value;
use sts_sandbox::Sandbox;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const CLOCK: &str =
    "Signature expired: 20220127T001427Z is now earlier than 20220127T014428Z (20220127T015928Z - 15 min.)";

type Call = JoinHandle<reqwest::Result<Response>>;

fn call(app: &App, body: &Value) -> Call {
    tokio::spawn(app.client.post(app.url("/verify")).json(body).send())
}

/// The names of a request's headers, sorted, and its line.
fn parts(request: &str) -> (&str, Vec<&str>, &str) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let mut names: Vec<&str> = headers.lines().map(|header| header.split(':').next().unwrap()).collect();
    names.sort_unstable();
    (line, names, body)
}

#[tokio::test]
async fn a_custom_endpoint_gets_the_signed_host_and_no_unsigned_headers() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &[]).await;
    let host = "sts-fips.us-east-1.amazonaws.com";
    let signer = signer(ROLE).at_host(host);
    assert_eq!(post(&app, &posted(&signer.url())).await.0, valid());
    let mut login = signer.login();
    // Unsigned headers, as clients and intermediaries add them.
    let mut headers: Value = serde_json::from_slice(&decoded(&login["iam_request_headers"])).unwrap();
    for (name, value) in
        [("Accept", "application/json"), ("Cookie", "a=b"), ("X-Forwarded-Host", "evil.example")]
    {
        headers[name] = value.into();
    }
    login["iam_request_headers"] = headers;
    assert_eq!(post(&app, &login).await.0, valid());
    let requests = stub.requests();
    let (line, names, _) = parts(&requests[0]);
    assert!(line.starts_with("GET /?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm="), "{line}");
    assert_eq!(names, ["host", "user-agent", "x-sts-verify-audience"]);
    let (line, names, body) = parts(&requests[1]);
    assert_eq!((line, body), ("POST / HTTP/1.1", crate::proof_makers::BODY));
    let expected = [
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-amz-date",
        "x-amz-security-token",
        "x-sts-verify-audience",
    ];
    assert_eq!(names, expected);
    for request in requests {
        assert!(request.contains(&format!("\r\nhost: {host}\r\n")), "{request}");
        assert!(request.contains(&format!("\r\nx-sts-verify-audience: {AUDIENCE}\r\n")), "{request}");
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn several_audiences_are_tried_in_order_each_over_a_connection_of_its_own() {
    let sandbox =
        Sandbox::builder().callers(sts_sandbox::table()).remember_wrong_secrets().start().await.unwrap();
    let app = app_asking(sandbox.url(), &["--audience=one.example,two.example,three.example"]).await;
    let tried = || -> Vec<String> {
        let binding = |request: &http::Request<_>| request.headers().get("x-k8s-aws-id").cloned();
        let bindings = sandbox.requests().into_iter().filter_map(|request| binding(&request));
        bindings.map(|value| value.to_str().unwrap().trim_end_matches(".example").to_owned()).collect()
    };
    let bound = |audience| signer(ROLE).with_headers(&[("x-k8s-aws-id", audience)]);
    let mut asked = 0;
    for (audience, attempts) in [
        ("two.example", &["one", "two"][..]),
        ("one.example", &["one"]),
        ("three.example", &["one", "two", "three"]),
    ] {
        let (said, answer) = post(&app, &posted(&bound(audience).url())).await;
        assert_eq!(said, valid(), "{audience}: {answer}");
        assert_eq!(answer["aws_res"]["ResponseMetadata"]["RetryAttempts"], 0);
        assert_eq!(tried()[asked..], *attempts);
        asked += attempts.len();
    }
    let (said_of_none, _) = post(&app, &posted(&bound("four.example").url())).await;
    assert_eq!(said_of_none, said(400, "ClientError", "SignatureDoesNotMatch", "invalid"));
    assert_eq!(tried()[asked..], ["one", "two", "three"]);
    asked += 3;
    // A binding that names its audience is tried only once.
    assert_eq!(post(&app, &bound("two.example").login()).await.0, valid());
    assert_eq!(tried()[asked..], ["two"]);
}

#[tokio::test]
async fn another_audience_is_tried_only_while_the_signature_does_not_match() {
    let audiences = ["--audience=one.example,two.example", "--max-attempts=1"];
    for (what, reply, asked) in [
        ("a signature that does not match", sts_error(403, "SignatureDoesNotMatch", WRONG_SECRET), 2),
        ("a clock that is slow", sts_error(403, "SignatureDoesNotMatch", CLOCK), 1),
        ("an expired session", sts_error(403, "ExpiredToken", EXPIRED), 1),
        ("throttling", sts_error(400, "Throttling", "Rate exceeded"), 1),
        ("a closed connection", Reply::Close, 1),
        ("a page", http(200, &[], "<html></html>"), 1),
        ("an identity", identity(), 1),
    ] {
        let stub = Stub::always(reply).await;
        let app = app_asking(&stub.url, &audiences).await;
        post(&app, &posted(&signer(ROLE).url())).await;
        assert_eq!((stub.count(), stub.connections()), (asked, asked), "{what}");
    }
}

#[tokio::test]
async fn a_signature_is_resent_unchanged_and_attempts_are_counted() {
    for proof in [posted(&signer(ROLE).url()), signer(ROLE).login()] {
        let replies =
            vec![Reply::Close, http(500, &[], ""), sts_error(400, "Throttling", "Rate exceeded"), identity()];
        let stub = Stub::replies(replies).await;
        let app = app_asking(&stub.url, &[]).await;
        let (said, answer) = post(&app, &proof).await;
        assert_eq!(said, valid(), "{answer}");
        assert_eq!(answer["aws_res"]["ResponseMetadata"]["RetryAttempts"], 3);
        let requests = stub.requests();
        assert_eq!(requests.len(), 4);
        assert!(requests.windows(2).all(|pair| pair[0] == pair[1]), "{requests:#?}");
        assert_eq!(metric(&app, "sts_retries_total").await, Some(3.0));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Stub::always(identity()).await;
    let stub = Stub::always(http(302, &[("Location", &elsewhere.url)], "")).await;
    let app = app_asking(&stub.url, &[]).await;
    let (given, _) = post(&app, &posted(&signer(ROLE).url())).await;
    assert_eq!(given, said(502, "ResponseParserError", "ResponseParserError", "indeterminate"));
    assert_eq!((stub.count(), elsewhere.count()), (1, 0));
}

#[tokio::test]
async fn identical_proofs_at_once_share_one_call_and_different_ones_do_not() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = app_asking(&stub.url, &[]).await;
    let (one, other) = (signer(ROLE), signer(USER));
    let bodies = [
        posted(&one.url()),
        serde_json::json!({"token": one.eks_token()}),
        one.login(),
        posted(&other.url()),
    ];
    // A URL and the token with this URL are the same request to STS; the POST is a different one.
    let calls: Vec<Call> = bodies.iter().chain([&bodies[0]]).map(|body| call(&app, body)).collect();
    waiting(&app, 5.0).await;
    open.send_replace(true);
    let mut collapsed = 0;
    for call in calls {
        let answer = call.await.unwrap().unwrap();
        assert_eq!(header(&answer, "x-sts-verdict"), Some("valid"));
        collapsed += usize::from(header(&answer, "cache-status").is_some());
    }
    assert_eq!((stub.count(), collapsed), (3, 2));
}

#[tokio::test]
async fn answers_for_proofs_are_not_cached_although_those_for_credentials_are() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &["--cache-valid=60s", "--cache-expired=60s"]).await;
    let (proof, credentials) = (posted(&signer(ROLE).url()), crate::helpers::someone());
    for _ in 0..3 {
        assert_eq!(post(&app, &proof).await.0, valid());
    }
    assert_eq!(stub.count(), 3);
    for _ in 0..3 {
        assert_eq!(post(&app, &credentials).await.0, valid());
    }
    assert_eq!(stub.count(), 4);
    let expired = Stub::always(sts_error(403, "ExpiredToken", EXPIRED)).await;
    let app = app_asking(&expired.url, &["--cache-valid=60s", "--cache-expired=60s"]).await;
    for _ in 0..2 {
        assert_eq!(post(&app, &proof).await.0, said(400, "ClientError", "ExpiredToken", "invalid"));
    }
    assert_eq!(expired.count(), 2);
}

#[tokio::test]
async fn verdicts_are_counted_by_the_kind_of_proof() {
    let sandbox = crate::helpers::start_sandbox().await;
    let app = app_asking(&sandbox, &[]).await;
    let token = crate::proof_makers::web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await;
    let wrong = Signer { secret: "x".repeat(40), ..signer(ROLE) };
    post(&app, &posted(&signer(ROLE).url())).await;
    post(&app, &signer(USER).login()).await;
    post(&app, &posted(&wrong.url())).await;
    post(&app, &posted(&signer(ROLE).signed(-1_000).url())).await;
    post(&app, &serde_json::json!({"token": token})).await;
    post(&app, &serde_json::json!({"token": "not.a.token"})).await;
    for (verdict, proof, count) in [
        ("valid", "signed_request", 2.0),
        ("invalid", "signed_request", 1.0),
        ("indeterminate", "signed_request", 1.0),
        ("valid", "web_identity_token", 1.0),
        ("invalid", "web_identity_token", 0.0),
        ("valid", "credentials", 0.0),
    ] {
        let series = format!("sts_verify_total{{verdict=\"{verdict}\",proof=\"{proof}\"}}");
        assert_eq!(metric(&app, &series).await, Some(count), "{series}");
    }
    assert_eq!(metric(&app, "sts_verify_errors_total{code=\"ProofExpired\"}").await, Some(1.0));
}
