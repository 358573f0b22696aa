//! The log line of a request: its fields, and the request ID by which it can be found.

use crate::helpers::{ACCESS_KEY, SECRET_KEY, TOKEN, someone};
use crate::program::{Scratch, Service, json, metric_at, request_id};
use crate::stub::{EXPIRED, Stub, identity, sts_error};
use crate::wire::Gate;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt as _;
use futures_util::{future::join_all, stream};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use reqwest::{Body, Method, RequestBuilder, Response};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::future::ready;
use sts_verify::callers::api_keys::NewKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const INVOKE: &str = "/2015-03-31/functions/verify/invocations";

fn is_request(line: &str) -> bool {
    json(line)["message"] == "request"
}

/// Sends a request and returns its only log line.
async fn line_of(service: &Service, request: RequestBuilder) -> Map<String, Value> {
    let before = service.program.written().iter().filter(|line| is_request(line)).count();
    let answer = request.send().await.unwrap();
    let (status, id) = (answer.status().as_u16(), request_id(&answer));
    let lines = service.program.lines(before + 1, is_request).await;
    assert_eq!(lines.len(), before + 1, "one line: {lines:#?}");
    let line = json(lines.last().unwrap());
    assert_eq!((&line["status"], &line["request_id"]), (&json!(status), &json!(id)), "{line}");
    assert!(line["duration_ms"].is_number() && line["timestamp"].is_string(), "{line}");
    assert_eq!(line["level"], "INFO", "{line}");
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{line}");
    let Value::Object(line) = line else { unreachable!("{line}") };
    line
}

/// The fields of a line, without those that every line has or that differ each time.
fn told(mut line: Map<String, Value>) -> Value {
    for name in ["timestamp", "level", "message", "duration_ms", "request_id", "trace_id"] {
        line.remove(name).unwrap_or_else(|| panic!("no {name} in {line:?}"));
    }
    Value::Object(line)
}

#[tokio::test]
async fn the_log_line_of_valid_credentials_has_the_identity_and_the_call() {
    let stub = Stub::replies(vec![sts_error(500, "InternalFailure", "an error"), identity()]).await;
    let service = Service::asking(&stub.url, &[]).await;
    let expected = json!({
        "method": "POST", "route": "/verify", "status": 200, "verdict": "valid",
        "sts_request_id": "1020a616-1656-464c-9563-6690998cea47", "account": "123456789012",
        "access_key": "AKIA…MPLE", "region": "us-east-1", "retries": 1,
    });
    assert_eq!(told(line_of(&service, service.request(&someone())).await), expected);
}

#[tokio::test]
async fn log_lines_of_simultaneous_requests_are_not_mixed() {
    let service = Service::asking(&Stub::always(identity()).await.url, &[]).await;
    let answers = join_all((0..300).map(|_| service.get("/livez"))).await;
    let mut ids: Vec<String> = answers.iter().map(request_id).collect();
    let lines = service.program.lines(ids.len(), is_request).await;
    let mut told: Vec<String> =
        lines.iter().map(|line| json(line)["request_id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, ids);
}

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
async fn the_line_names_the_route_and_never_the_path() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let invoke = format!("/2015-03-31/functions/{ACCESS_KEY}/invocations");
    let cases = [
        (Method::GET, "/livez".to_owned(), "GET", "/livez"),
        (Method::HEAD, "/readyz".to_owned(), "HEAD", "/readyz"),
        (Method::PUT, format!("/verify?secret={SECRET_KEY}"), "PUT", "/verify"),
        (Method::OPTIONS, "/verify".to_owned(), "OPTIONS", "/verify"),
        (Method::POST, invoke, "POST", "/2015-03-31/functions/{function}/invocations"),
        (Method::GET, format!("/nowhere/{SECRET_KEY}?token={TOKEN}"), "GET", "unmatched"),
        (Method::POST, format!("/verify/{SECRET_KEY}"), "POST", "unmatched"),
        (Method::GET, format!("//{SECRET_KEY}"), "GET", "unmatched"),
        (Method::from_bytes(b"ASECRETMETHOD").unwrap(), "/verify".to_owned(), "other", "/verify"),
    ];
    for (method, path, said, route) in cases {
        let request = service.client.request(method, service.url(&path)).body("{}");
        let line = line_of(&service, request).await;
        assert_eq!((&line["method"], &line["route"]), (&json!(said), &json!(route)), "{path}");
        let line = Value::Object(line).to_string();
        assert!(![SECRET_KEY, TOKEN, ACCESS_KEY, "ASECRET"].iter().any(|text| line.contains(text)), "{line}");
    }
}

#[tokio::test]
async fn an_invocation_has_the_log_line_of_its_verification() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let invoke = service.url("/2015-03-31/functions/verify/invocations");
    let line = line_of(&service, service.client.post(&invoke).json(&someone())).await;
    assert_eq!((&line["verdict"], &line["account"]), (&json!("valid"), &json!("123456789012")));
    assert_eq!(line["access_key"], "AKIA…MPLE");
    let line = line_of(&service, service.client.post(&invoke).body("{}")).await;
    // The envelope has status 200; the code is that of its content.
    assert_eq!((&line["status"], &line["code"]), (&json!(200), &json!("MissingParameter")));
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

/// The decoded log tail, as a Lambda client reads it.
fn tail_of(response: &Response) -> Option<String> {
    let tail = response.headers().get("x-amz-log-result")?.to_str().unwrap();
    Some(String::from_utf8(BASE64_STANDARD.decode(tail).unwrap()).unwrap())
}

#[tokio::test]
async fn an_invocation_can_request_its_log_line() {
    let stub = Stub::always(identity()).await;
    for format in ["json", "text"] {
        let service = Service::asking(&stub.url, &[("STS_VERIFY_LOG_FORMAT", format)]).await;
        let invoke = |log_type: &str| {
            service
                .client
                .post(service.url(INVOKE))
                .header("x-amz-log-type", log_type)
                .json(&someone())
                .send()
        };
        let response = invoke("Tail").await.unwrap();
        let line = service.program.line(|line| line.contains("invocations")).await;
        assert!(line.contains(&request_id(&response)) && line.contains("AKIA…MPLE"), "{line}");
        assert_eq!(tail_of(&response), Some(line + "\n"));
        assert_eq!(tail_of(&invoke("None").await.unwrap()), None);
        let refused = service.client.post(service.url(INVOKE)).header("x-amz-log-type", "Tail").body("{");
        assert_eq!(tail_of(&refused.send().await.unwrap()), None);
    }
    // If the settings omit the line, there is no log tail.
    let service = Service::asking(&stub.url, &[("STS_VERIFY_LOG", "info,sts_verify::http=error")]).await;
    let request = service.client.post(service.url(INVOKE)).header("x-amz-log-type", "Tail").json(&someone());
    assert_eq!(tail_of(&request.send().await.unwrap()).as_deref(), Some(""));
}

#[tokio::test]
async fn a_well_formed_request_id_is_kept() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let longest = "a".repeat(64);
    let usual = [
        "01JD5ZK3V4Q8R2N7MYCXW9TBPE",
        "01jd5zk3v4q8r2n7mycxw9tbpe",
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "order-01JD5ZK3V4Q8R2N7MYCXW9TBPE",
        "2peAKqTmVFz0GTh1zXJvn9AeQhy",
        "req_2peAKqTmVFz0GTh1zXJvn9AeQhy",
        "V1StGXR8_Z5jdHi6B-myT",
        "0123456789_-ABCDabcdE",
        // A UUID in base64 and in base62, a TypeID, a CUID, a CUID2 and an XID.
        "s9xW3p5QTiK7q-0vYbmEaA",
        "7N42dgm5tFLK9N8MT7fHC7",
        "user_2x4y6z8a0b1c2d3e4f5g6h7j8k",
        "cjld2cjxh0000qzrmn831i7rn",
        "tz4a98xxat96iws9zmbrgj3a",
        "9m4e2mr0ui3e8a215n4g",
    ];
    let plain =
        ["1", "Root=1-67891233-abcdef012345678912345678", "a_b.c:d-e", "order-AbCdEfGhIjK", longest.as_str()];
    for id in usual.into_iter().chain(plain) {
        let line = line_of(&service, service.get_with_id("/livez", id)).await;
        assert_eq!(line["request_id"], id);
    }
}

#[tokio::test]
async fn any_other_request_id_is_replaced() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let long = "a".repeat(200);
    // The second last has the length of a ULID but is not one; the last has more bits than a ULID can hold.
    let of_a_secret = [
        "wJalrXUtnFEM",
        "order-UmVhbFRva2Vu",
        "a.MPLEKEYEXAM==",
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE-1",
        "1:AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLEabcdefg",
        "UmVhbFRva2VuUmVhbFRva2VuUmVhbFRva2VuUmVh",
        "AKIAIOSFODNN7EXAMPLEUU0000",
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    ];
    let odd = ["", "with spaces", "a%0ab", "a\tb", "<script>", "\"quoted\"", "ä", SECRET_KEY, long.as_str()];
    let mut seen = std::collections::HashSet::new();
    for id in odd.into_iter().chain(of_a_secret) {
        let line = line_of(&service, service.get_with_id("/livez", id)).await;
        let given = line["request_id"].as_str().unwrap().to_owned();
        assert_eq!(uuid::Uuid::parse_str(&given).map(|id| id.get_version_num()), Ok(4), "{id}");
        assert!(seen.insert(given), "no id comes twice");
    }
}

#[tokio::test]
async fn two_request_ids_are_not_both_logged() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let request = service.get_with_id("/livez", "one").header("x-request-id", "two");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers().get_all("x-request-id").iter().count(), 1);
}

#[tokio::test]
async fn the_log_line_has_the_trace_id_of_its_caller_or_a_new_one() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let given = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (good, bad) = (format!("00-{given}-00f067aa0ba902b7-01"), format!("00-{given}-0000000000000000-01"));
    let amazon = "Root=1-67891233-abcdef012345678912345678";
    for (name, value, expected) in [
        ("traceparent", good.as_str(), Some(given)),
        ("x-amzn-trace-id", amazon, Some("67891233abcdef012345678912345678")),
        ("traceparent", &bad, None),
        ("x-amzn-trace-id", "Root=1-67891233", None),
    ] {
        let line = line_of(&service, service.request(&someone()).header(name, value)).await;
        let id = line["trace_id"].as_str().unwrap();
        assert!(expected.map_or(id != given && id.len() == 32, |expected| id == expected), "{value}: {id}");
    }
}

#[tokio::test]
async fn the_text_log_line_has_the_trace_id_too() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[("STS_VERIFY_LOG_FORMAT", "text")]).await;
    service.get("/livez").await;
    let line = service.program.line(|line| line.contains(" INFO request ")).await;
    let (_, id) = line.rsplit_once(" trace_id=").expect("it has one");
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
    let started = service.program.line(|line| line.contains(" INFO listening ")).await;
    assert!(!started.contains("trace_id"), "{started}");
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_is_named_in_its_log_line() {
    let (gate, files) = (Gate::start().await, Scratch::new("gone"));
    let new = NewKey::generate(Some("team-a")).unwrap();
    let keys = files.file("keys", &new.line);
    let service = Service::asking(&gate.url, &[("STS_VERIFY_API_KEYS_FILE", &keys)]).await;
    let invoke =
        service.client.post(service.url("/2015-03-31/functions/verify/invocations")).json(&someone());
    for (n, (request, route)) in [
        (service.request(&someone()), "/verify"),
        (service.request(&someone()), "/verify"),
        (invoke, "/2015-03-31/functions/{function}/invocations"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = request.header("x-request-id", "gone").header("x-api-key", new.key.expose_secret());
        let asking = tokio::spawn(request.send());
        gate.was_asked(n + 1).await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        let line = json(&service.program.lines(n + 1, is_request).await[n]);
        let Value::Object(line) = line else { unreachable!("{line}") };
        assert_eq!(line["request_id"], "gone");
        let expected = json!({
            "method": "POST", "route": route, "status": 499, "api_key": "team-a", "access_key": "AKIA…MPLE",
            "region": "us-east-1",
        });
        assert_eq!(told(line), expected);
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_its_body_comes_is_named_by_its_key() {
    let (stub, files) = (Stub::always(identity()).await, Scratch::new("half"));
    let new = NewKey::generate(Some("team-a")).unwrap();
    let keys = files.file("keys", &new.line);
    let service = Service::asking(&stub.url, &[("STS_VERIFY_API_KEYS_FILE", &keys)]).await;
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let head = format!(
        "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\
         x-api-key: {}\r\n\r\n{{",
        new.key.expose_secret()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Until its head was read: one of the two is the scrape.
    let url = service.url("/metrics");
    while metric_at(&url, "http_server_active_requests").await != Some(2.0) {}
    drop(stream);
    let line = json(&service.program.line(|line| json(line)["route"] == "/verify").await);
    assert_eq!(line["api_key"], "team-a", "{line}");
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

impl Service {
    fn get_with_id(&self, path: &str, id: &str) -> RequestBuilder {
        let id = reqwest::header::HeaderValue::from_bytes(id.as_bytes()).unwrap();
        self.client.get(self.url(path)).header("x-request-id", id)
    }
}
