//! HTTP around verification: paths, methods, CORS, request IDs, limits, health, documents.

use crate::helpers::{
    App, SECRET_KEY, body_of, caller, expected, header, metric, settings, someone, summary,
};
use crate::stub::{Reply, Stub, identity};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_get_the_common_error_format() {
    let app = App::with_sandbox(&[]).await;
    for (path, method, status, code) in [
        ("/", "GET", 404, "NotFound"),
        ("/verify/", "POST", 404, "NotFound"),
        ("/verify", "GET", 405, "MethodNotAllowed"),
        ("/livez", "POST", 405, "MethodNotAllowed"),
        ("/docs/nothing", "GET", 404, "NotFound"),
        // Escapes that do not decode to valid text, and invalid escapes.
        ("/docs/%ff", "GET", 404, "NotFound"),
        ("/docs/a/%c3%28", "GET", 404, "NotFound"),
        ("/docs/%zz", "GET", 404, "NotFound"),
        ("/docs/%", "GET", 404, "NotFound"),
        ("/docs/%00", "GET", 404, "NotFound"),
        ("/docs/..%2f..%2fetc", "GET", 404, "NotFound"),
        ("/docs/index.html", "POST", 405, "MethodNotAllowed"),
        ("/docs", "PUT", 405, "MethodNotAllowed"),
        ("/%ff", "GET", 404, "NotFound"),
        ("/verify%ff", "POST", 404, "NotFound"),
        ("/2015-03-31/functions/%ff", "POST", 404, "NotFound"),
        ("/openapi.json", "DELETE", 405, "MethodNotAllowed"),
        ("/metrics", "POST", 405, "MethodNotAllowed"),
    ] {
        let request = app.client.request(method.parse().unwrap(), app.url(path));
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(header(&response, "allow").is_some(), status == 405, "{path}");
        let status_got = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        let names: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["exception", "error_code", "error_message"], "{path}");
        assert_eq!((status_got, &body["error_code"]), (status, &Value::from(code)), "{path}");
    }
}

/// The headers that a page may send. The star covers all headers except `Authorization`.
const ALLOWED: [&str; 18] = [
    "*",
    "authorization",
    "content-type",
    "x-request-id",
    "x-api-key",
    "traceparent",
    "tracestate",
    "baggage",
    "x-amzn-trace-id",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "x-amz-user-agent",
    "x-amz-invocation-type",
    "x-amz-log-type",
    "x-amz-client-context",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
];

/// The headers of an answer that a page may read.
const EXPOSED: [&str; 12] = [
    "x-sts-verdict",
    "retry-after",
    "x-request-id",
    "x-sts-sandbox",
    "cache-status",
    "age",
    "www-authenticate",
    "x-amzn-requestid",
    "x-amzn-errortype",
    "x-amz-function-error",
    "x-amz-log-result",
    "x-amz-executed-version",
];

#[tokio::test]
async fn any_origin_may_call_and_read_unless_the_operator_lists_some() {
    let app = App::with_sandbox(&[]).await;
    let listed = App::with_sandbox(&["--cors-origins=https://a.example,https://b.example:8443"]).await;
    for (app, origin, allowed, vary) in [
        (&app, "https://anyone.example", Some("*"), None),
        (&listed, "https://b.example:8443", Some("https://b.example:8443"), Some("origin")),
        (&listed, "https://anyone.example", None, Some("origin")),
    ] {
        for path in ["/verify", "/nothing", "/livez", "/docs/"] {
            let plain = app.client.get(app.url(path)).header("origin", origin).send().await.unwrap();
            assert_eq!(header(&plain, "access-control-allow-origin"), allowed, "{origin} {path}");
            assert_eq!(header(&plain, "vary").map(str::to_lowercase).as_deref(), vary, "{origin} {path}");
            let exposed = header(&plain, "access-control-expose-headers").unwrap();
            for name in EXPOSED {
                assert!(exposed.split(',').any(|one| one == name), "{name} in {exposed}");
            }
            let preflight = app
                .client
                .request(reqwest::Method::OPTIONS, app.url(path))
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "content-type,x-request-id")
                .send()
                .await
                .unwrap();
            assert_eq!(preflight.status(), 200);
            assert_eq!(header(&preflight, "access-control-allow-origin"), allowed, "{origin} {path}");
            assert_eq!(header(&preflight, "access-control-allow-methods"), Some("POST"));
            let headers = header(&preflight, "access-control-allow-headers").unwrap();
            for name in ALLOWED {
                assert!(headers.split(',').any(|one| one == name), "{name} in {headers}");
            }
            assert_eq!(header(&preflight, "access-control-max-age"), Some("7200"));
        }
    }
}

#[tokio::test]
async fn a_well_formed_request_id_is_kept_and_any_other_is_replaced() {
    let app = App::with_sandbox(&[]).await;
    let long = "x".repeat(65);
    for (sent, kept) in [
        (Some("Root=1-67891233-abcdef012345678912345678"), true),
        (Some("a request"), false),
        (Some(long.as_str()), false),
        (Some("{\"a\":1}"), false),
        (None, false),
    ] {
        let request = app.client.post(app.url("/verify")).json(&someone());
        let request = sent.map_or(request.try_clone().unwrap(), |id| request.header("x-request-id", id));
        let response = request.send().await.unwrap();
        let got = header(&response, "x-request-id").unwrap();
        assert_eq!(Some(got) == sent, kept, "{sent:?}");
        assert!(!got.is_empty() && got.len() <= 64);
    }
}

#[tokio::test]
async fn health_needs_no_key_and_does_not_call_sts() {
    let stub = Stub::always(Reply::Close).await;
    let app = App::asking(&stub.url, &[]).await;
    for path in ["/livez", "/readyz", "/healthz", "/health"] {
        let response = app.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.text().await.unwrap(), "{\"status\":\"ok\"}", "{path}");
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn above_its_limit_the_service_answers_503_at_once_and_health_still_answers() {
    let (arrived, asked) = tokio::sync::mpsc::unbounded_channel();
    let mut asked = asked;
    let stub = Stub::start(move |_, _| {
        arrived.send(()).unwrap();
        Reply::Silence
    })
    .await;
    let app = App::asking(&stub.url, &["--max-in-flight=2"]).await;
    // Identical requests would share one call.
    let other = json!({"AccessKeyId": "AKIASOMEBODYELSE0000", "SecretAccessKey": SECRET_KEY});
    let waiting =
        [someone(), other].map(|body| tokio::spawn(app.client.post(app.url("/verify")).json(&body).send()));
    for _ in &waiting {
        asked.recv().await.unwrap();
    }
    let response = app.verify_someone().await;
    assert_eq!(header(&response, "retry-after"), Some("1"));
    assert_eq!(summary(response).await, expected(503, "", "Overloaded"));
    assert_eq!(app.get("/readyz").await.status(), 200);
    for call in waiting {
        call.abort();
    }
    // A caller that leaves releases its permit. The service notices when the connection closes.
    while app.verify_text("{}").await.status() != 400 {}
    let freed = tokio::spawn(app.client.post(app.url("/verify")).json(&someone()).send());
    asked.recv().await.unwrap();
    freed.abort();
}

#[tokio::test]
async fn the_connection_limit_to_sts_holds_and_waiting_requests_are_answered() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = App::asking(&stub.url, &["--max-sts-connections=2"]).await;
    let calls: Vec<_> = (0..6)
        .map(|n| json!({"AccessKeyId": format!("AKIASOMEBODYELSE000{n}"), "SecretAccessKey": SECRET_KEY}))
        .map(|body| tokio::spawn(app.client.post(app.url("/verify")).json(&body).send()))
        .collect();
    while metric(&app, "http_server_active_requests").await != Some(7.0) || stub.count() < 2 {}
    // Enough time for the others to arrive, if they were accepted.
    for _ in 0..50 {
        app.get("/metrics").await;
    }
    assert_eq!(stub.count(), 2);
    open.send_replace(true);
    for call in calls {
        assert_eq!(summary(call.await.unwrap().unwrap()).await, expected(200, "valid", ""));
    }
    assert_eq!(stub.count(), 6);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    let app = App::with_sandbox(&["--read-timeout=300ms"]).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head =
        "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"error_code\":\"RequestTimeout\""), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_arrive_times_out() {
    let app = App::with_sandbox(&["--read-timeout=300ms"]).await;
    for start in ["", "POST /verify HT"] {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // The time limit of the test is the assertion: without the timeout this read never ends.
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "", "{start}");
    }
}

#[tokio::test]
async fn every_answer_of_a_sandbox_says_that_nothing_is_real_and_none_of_a_real_service_does() {
    let stub = Stub::always(identity()).await;
    let flags = format!("--endpoint-url-sts={}", stub.url);
    let sandbox = App::start(&settings(&[&flags]), true).await;
    let real = App::start(&settings(&[&flags]), false).await;
    for path in ["/livez", "/nothing", "/verify", "/docs/", "/openapi.json"] {
        assert_eq!(header(&sandbox.get(path).await, "x-sts-sandbox"), Some("true"), "{path}");
        assert_eq!(header(&real.get(path).await, "x-sts-sandbox"), None, "{path}");
    }
    assert_eq!(header(&sandbox.verify_someone().await, "x-sts-sandbox"), Some("true"));
}

#[tokio::test]
async fn a_caller_of_the_sandbox_that_is_flaky_is_good_at_the_third_attempt() {
    let app = App::with_sandbox(&[]).await;
    for _ in 0..2 {
        let body: Value = app.verify(&body_of(caller("AKIASBXFLAKY0EXAMPLE"))).await.json().await.unwrap();
        assert_eq!(body["aws_res"]["ResponseMetadata"]["RetryAttempts"], 2);
    }
}

#[tokio::test]
async fn requests_are_answered_one_after_another_on_a_kept_connection() {
    let app = App::with_sandbox(&[]).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 OK"));
    }
}
