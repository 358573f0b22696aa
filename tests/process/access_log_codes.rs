//! The error code in the log line of a request that failed or was refused.

use crate::access_log::{INVOKE, is_request, line_of, told};
use crate::helpers::{SECRET_KEY, someone};
use crate::program::{Service, json};
use crate::stub::{EXPIRED, Stub, identity, sts_error};
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use reqwest::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::ready;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_line_of_a_rejection_has_the_code_of_sts() {
    let stub = Stub::always(sts_error(403, "ExpiredToken", EXPIRED)).await;
    let service = Service::asking(&stub.url, &[]).await;
    let expected = json!({
        "method": "POST", "route": "/verify", "status": 400, "verdict": "invalid", "code": "ExpiredToken",
        "sts_request_id": "16fc956c-311e-4199-bee1-1680236e9698", "access_key": "AKIA…MPLE", "region": "us-east-1",
        "retries": 0,
    });
    assert_eq!(told(line_of(&service, service.request(&someone())).await), expected);
}

#[tokio::test]
async fn the_log_line_of_a_request_without_a_call_to_sts_has_no_verdict() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let mut elsewhere = someone();
    elsewhere["region"] = json!("eu-west-1");
    let cases = [
        (json!({}), json!({"code": "MissingParameter"})),
        (json!("text"), json!({"code": "MalformedJson"})),
        (elsewhere, json!({"code": "RegionNotAllowed", "access_key": "AKIA…MPLE"})),
    ];
    for (body, rest) in cases {
        let mut expected = json!({"method": "POST", "route": "/verify", "status": 400});
        expected.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        assert_eq!(told(line_of(&service, service.request(&body)).await), expected);
    }
}

#[tokio::test]
async fn the_line_of_every_error_has_the_code_that_was_answered() {
    let stub = Stub::always(identity()).await;
    let limits = [("STS_VERIFY_MAX_BODY_BYTES", "100"), ("STS_VERIFY_READ_TIMEOUT", "300ms")];
    let service = Service::asking(&stub.url, &limits).await;
    let post = |path: &str, media_type: &str, body: String| {
        service.client.post(service.url(path)).header("content-type", media_type).body(body)
    };
    let json = "application/json";
    // It starts a body and never ends it.
    let start = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"{")));
    let late = || Body::wrap(StreamBody::new(stream::once(ready(start())).chain(stream::pending())));
    for (request, status, code) in [
        (service.client.get(service.url("/nothing")), 404, "NotFound"),
        (service.client.get(service.url("/docs/%ff")), 404, "NotFound"),
        (service.client.get(service.url("/verify")), 405, "MethodNotAllowed"),
        (post("/verify", json, String::new()).body(late()), 408, "RequestTimeout"),
        (post("/verify", json, "x".repeat(101)), 413, "RequestTooLarge"),
        (post("/verify", "text/plain", String::new()), 415, "UnsupportedMediaType"),
        (post(INVOKE, json, "{".to_owned()), 400, "InvalidRequestContentException"),
        (post(INVOKE, json, String::new()).body(late()), 408, "RequestTimeout"),
        (post(INVOKE, json, "x".repeat(101)), 413, "RequestTooLarge"),
        (service.client.get(service.url(INVOKE)), 405, "MethodNotAllowed"),
    ] {
        let line = line_of(&service, request).await;
        assert_eq!((&line["status"], &line["code"]), (&json!(status), &json!(code)), "{line:?}");
    }
}

#[tokio::test]
async fn the_line_of_a_caller_that_is_refused_has_a_code() {
    let stub = Stub::always(identity()).await;
    let digest = ("STS_VERIFY_API_KEYS", "0000000000000000000000000000000000000000000000000000000000000000");
    let service = Service::asking(&stub.url, &[digest, ("STS_VERIFY_ALLOWED_HOSTS", "127.0.0.1")]).await;
    let limited = Service::asking(&stub.url, &[("STS_VERIFY_RATE_LIMIT", "1/h")]).await;
    // Wait for its line, which may be written after the answer.
    line_of(&limited, limited.request(&someone())).await;
    for path in ["/verify", INVOKE] {
        let line = line_of(&service, service.client.post(service.url(path))).await;
        assert_eq!((&line["status"], &line["code"]), (&json!(401), &json!("Unauthorized")), "{path}");
        let elsewhere = service.client.post(service.url(path)).header("host", "evil.example");
        let line = line_of(&service, elsewhere).await;
        assert_eq!((&line["status"], &line["code"]), (&json!(421), &json!("MisdirectedRequest")), "{path}");
        let line = line_of(&limited, limited.client.post(limited.url(path))).await;
        assert_eq!((&line["status"], &line["code"]), (&json!(429), &json!("RateLimited")), "{path}");
    }
}

#[tokio::test]
async fn a_refused_head_has_a_log_line_without_its_content() {
    let service = Service::asking(&Stub::always(identity()).await.url, &[]).await;
    let mut count = 0;
    for (head, status) in [
        (format!("{SECRET_KEY}\r\n\r\n"), 400),
        (format!("GET /{SECRET_KEY} HTTP/1.1\r\nHost: x\r\nHost: {SECRET_KEY}\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", SECRET_KEY.repeat(1_000)), 431),
    ] {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
        let answer = String::from_utf8(answer).unwrap();
        count += 1;
        let line = service.program.lines(count, is_request).await.pop().unwrap();
        let Value::Object(line) = json(&line) else { unreachable!("{line}") };
        let id = format!("\r\nx-request-id: {}\r\n", line["request_id"].as_str().unwrap());
        assert!(answer.contains(&id), "{answer}");
        // Another test checks the other fields in the lines of errors.
        for (name, value) in
            [("method", json!("other")), ("route", json!("unmatched")), ("status", json!(status))]
        {
            assert_eq!(line[name], value, "{name}");
        }
    }
}
