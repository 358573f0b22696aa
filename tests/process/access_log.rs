//! The log line of a request and its fields.

use crate::helpers::{ACCESS_KEY, SECRET_KEY, TOKEN, someone};
use crate::program::{Scratch, Service, json, metric_at, request_id};
use crate::stub::{Stub, identity, sts_error};
use crate::wire::Gate;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use sts_verify::callers::api_keys::NewKey;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

pub const INVOKE: &str = "/2015-03-31/functions/verify/invocations";

pub fn is_request(line: &str) -> bool {
    json(line)["message"] == "request"
}

/// Sends a request and returns its only log line.
pub async fn line_of(service: &Service, request: RequestBuilder) -> Map<String, Value> {
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
pub fn told(mut line: Map<String, Value>) -> Value {
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
