//! No answer and no output of the program contains a secret access key, a session token, or a part of one,
//! even at the most verbose level, whatever is requested and whatever STS answers.

use crate::program::{Service, json};
use crate::stub::{IDENTITY, Reply, Stub, http, identity, sts_error};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::HashSet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Every part occurs only once, so a part that is found was leaked.
const SECRET: &str = "k3Jv9QpZ+x7Tn2Wd/R5mLc8Yb1Hf6Gs4Au0EiOqV";
const TOKEN: &str = "FwoGZXIvYXdzEPz//wEaDK7w2RtVnBx5yJ8hUiKqAcM3fLs9eDg6Tz1XoPmNbQvWrCjYlHkSa4GpZ0uFiEtOd\
                     Lx8Rw7J5nVhK2yMcTqBg3Us6ZfPo1ID9aXeNmYrWvHjQlCtGkS0zFbAuEiO4d==";

/// The header with which an invocation requests its log line.
const LOG_TYPE: &str = "x-amz-log-type";

/// A match of this length cannot be a coincidence.
const PART: usize = 12;

/// The access key IDs of the cases; the stub answers each of them differently.
const GOOD: &str = "AKIAQ7H2GOODXXEXAMPLE";
const WRONG: &str = "AKIAQ7H2WRONGXEXAMPLE";
const ECHOES: [(&str, Echo); 13] = [
    ("AKIAQ7H2ECHO00EXAMPLE", |head| {
        let message =
            format!("'{head}' not a valid key=value pair (missing equal-sign) in Authorization header.");
        sts_error(400, "IncompleteSignature", &message)
    }),
    ("AKIAQ7H2ECHO01EXAMPLE", |head| sts_error(400, head, "The code repeats it")),
    ("AKIAQ7H2ECHO02EXAMPLE", |head| {
        let error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        http(403, &[("x-amzn-RequestId", head)], &format!("<ErrorResponse>{error}</ErrorResponse>"))
    }),
    ("AKIAQ7H2ECHO03EXAMPLE", |head| {
        let error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        http(403, &[], &format!("<ErrorResponse>{error}<RequestId>{head}</RequestId></ErrorResponse>"))
    }),
    ("AKIAQ7H2ECHO04EXAMPLE", |head| http(200, &[("x-echo", head), ("x-amzn-RequestId", head)], IDENTITY)),
    ("AKIAQ7H2ECHO05EXAMPLE", |head| http(200, &[], &IDENTITY.replace("AIDAXXXXXXXXXXXXXXXXX", head))),
    ("AKIAQ7H2ECHO06EXAMPLE", |head| http(200, &[], &IDENTITY.replace("123456789012", head))),
    ("AKIAQ7H2ECHO07EXAMPLE", |head| {
        http(503, &[("x-amzn-RequestId", head)], &format!("<html>{head}</html>"))
    }),
    ("AKIAQ7H2ECHO08EXAMPLE", |head| http(302, &[("Location", head)], head)),
    ("AKIAQ7H2ECHO09EXAMPLE", |head| http(200, &[], &format!("<GetCallerIdentityResponse>{head}"))),
    ("AKIAQ7H2ECHO10EXAMPLE", |head| Reply::Last(format!("{head}\r\n\r\n").into_bytes())),
    // The apparent request ID is a part of the secret.
    ("AKIAQ7H2ECHO11EXAMPLE", |_| http(503, &[("x-amzn-RequestId", &SECRET[17..])], "")),
    ("AKIAQ7H2ECHO12EXAMPLE", |_| {
        let error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        http(403, &[("x-amzn-RequestId", &SECRET[17..])], &format!("<ErrorResponse>{error}</ErrorResponse>"))
    }),
];

/// An answer that repeats the request.
type Echo = fn(&str) -> Reply;

/// An STS that repeats everything it received, and also the secret, as if it knew it.
async fn sts() -> Stub {
    Stub::start(|_, request| {
        let head = request.split("\r\n\r\n").next().unwrap().replace("\r\n", " ");
        let head = format!("{head} {TOKEN} {SECRET}");
        match ECHOES.iter().find(|(key, _)| head.contains(key)) {
            Some((_, echo)) => echo(&head),
            None if head.contains(WRONG) => sts_error(403, "InvalidClientTokenId", "The token is invalid"),
            None => identity(),
        }
    })
    .await
}

fn credentials(access_key: &str) -> Value {
    json!({"stsAccessKey": access_key, "stsSecretKey": SECRET, "stsSessionToken": TOKEN})
}

/// Bodies that are refused; each contains the secrets at the place of its mistake.
fn malformed() -> Vec<String> {
    let good = credentials(GOOD).to_string();
    let cases = [
        json!([credentials(GOOD)]),
        json!(format!("{SECRET}{TOKEN}")),
        json!({"stsAccessKey": SECRET, "stsSecretKey": TOKEN}),
        json!({"stsAccessKey": [SECRET], "stsSecretKey": {"a": TOKEN}}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": format!("{SECRET} ")}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": format!("{SECRET}\r\nx: y")}),
        json!({"stsAccessKey": format!("{GOOD}\u{0}"), "stsSecretKey": SECRET}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": SECRET, "stsSessionToken": format!("{TOKEN}é")}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": SECRET, "SecretAccessKey": TOKEN}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": SECRET, "aws-SECRET-key": TOKEN}),
        json!({"a": {"b": {"AWS_ACCESS_KEY_ID": GOOD, "AWS_SECRET_KEY": SECRET}}, "c": {"secret_key": TOKEN}}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": SECRET, "AWS_REGION": TOKEN, "AWS_DEFAULT_REGION": "cn-north-1"}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": SECRET, "region": TOKEN}),
        json!({"stsAccessKey": GOOD, "stsSecretKey": SECRET, "region": SECRET.to_lowercase()}),
        json!({SECRET: TOKEN}),
    ];
    let broken = [good[..good.len() - 1].to_owned(), format!("{good}}}"), format!("{SECRET}{TOKEN}")];
    cases.iter().map(Value::to_string).chain(broken).collect()
}

/// The bodies for the Lambda interface.
fn events() -> Vec<String> {
    let inner = credentials(GOOD).to_string();
    let cases = [
        credentials(GOOD),
        credentials(ECHOES[0].0),
        json!({"body": inner, "isBase64Encoded": false, "headers": {"authorization": SECRET}}),
        json!({"body": BASE64_STANDARD.encode(&inner), "isBase64Encoded": true}),
        json!({"body": inner, "isBase64Encoded": true}),
        json!({"body": format!("{SECRET}{TOKEN}"), "requestContext": {}}),
        json!({"body": {"stsSecretKey": SECRET}, "requestContext": TOKEN}),
    ];
    cases.iter().map(Value::to_string).chain([format!("{inner}{inner}"), SECRET.to_owned()]).collect()
}

/// Requests with unusual heads.
fn odd(service: &Service) -> Vec<RequestBuilder> {
    let verify = service.url("/verify");
    let raw = |bytes: &[u8]| reqwest::header::HeaderValue::from_bytes(bytes).unwrap();
    let oversized = format!("{}{}", credentials(GOOD), " ".repeat(70_000));
    vec![
        service.request(&credentials(GOOD)).header("x-request-id", format!("{SECRET} {TOKEN}")),
        service.request(&credentials(GOOD)).header("authorization", format!("Bearer {TOKEN}")),
        service
            .request(&credentials(GOOD))
            .header("cookie", SECRET)
            .header("origin", format!("https://{SECRET}")),
        service.client.post(&verify).header("content-type", raw(b"\xff\xfe")).body(SECRET),
        service.client.post(&verify).header("content-type", format!("text/{SECRET}")).body(SECRET),
        service.client.post(&verify).header("content-type", "application/json").body(oversized),
        service.request(&credentials(GOOD)).header("content-encoding", SECRET),
        service.client.get(service.url(&format!("/verify?stsSecretKey={SECRET}&stsSessionToken={TOKEN}"))),
        service.client.get(service.url(&format!("/{TOKEN}/{SECRET}"))),
        service
            .client
            .post(service.url(&format!("/2015-03-31/functions/{}/invocations", &SECRET[..8])))
            .body("{}"),
        service.client.request(Method::from_bytes(b"FwoGZXIvYXdzEPz").unwrap(), &verify),
        service
            .client
            .request(Method::OPTIONS, &verify)
            .header("access-control-request-headers", &SECRET[..7]),
    ]
}

/// The parts of the secrets in a text.
fn parts_in(text: &str) -> Vec<&'static str> {
    let part =
        |secret: &'static str| (0..=secret.len() - PART).map(move |start| &secret[start..start + PART]);
    let parts: HashSet<&str> = part(SECRET).chain(part(TOKEN)).collect();
    let windows = text.as_bytes().windows(PART).filter_map(|window| std::str::from_utf8(window).ok());
    windows.filter_map(|window| parts.get(window).copied()).collect()
}

/// Sends a request and checks its complete answer.
async fn ask(request: RequestBuilder) {
    let answer = request.send().await.unwrap();
    assert_ne!(answer.status(), 500, "{answer:?}");
    let tail = answer.headers().get("x-amz-log-result").map(|tail| BASE64_STANDARD.decode(tail).unwrap());
    let tail = String::from_utf8(tail.unwrap_or_default()).unwrap();
    let text = format!("{:?}\n{tail}\n{}", answer.headers().clone(), answer.text().await.unwrap());
    assert_eq!(parts_in(&text), Vec::<&str>::new(), "{text}");
}

/// Sends bytes that are not HTTP.
async fn shout(service: &Service, text: &str) {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The service may close before it has read everything, which resets the connection.
    while stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
    assert_eq!(parts_in(&String::from_utf8_lossy(&answer)), Vec::<&str>::new());
}

/// Sends all requests to a service at the most verbose level, and returns its output and the number of
/// requests.
pub async fn everything(format: &str, more: &[(&str, &str)]) -> (Vec<String>, usize) {
    let stub = sts().await;
    let talkative = [
        ("STS_VERIFY_LOG_FORMAT", format),
        ("STS_VERIFY_LOG", "trace"),
        ("RUST_LOG", "trace"),
        ("LOG_SIGNABLE_BODY", "true"),
        ("RUST_BACKTRACE", "full"),
    ];
    let service = Service::asking(&stub.url, &[talkative.as_slice(), more].concat()).await;
    let keys = [GOOD, WRONG].into_iter().chain(ECHOES.map(|(key, _)| key));
    let invoke = service.url("/2015-03-31/functions/verify/invocations");
    let post = |body| {
        service.client.post(service.url("/verify")).header("content-type", "application/json").body(body)
    };
    let requests: Vec<_> = keys
        .map(|key| service.request(&credentials(key)))
        .chain(malformed().into_iter().map(post))
        .chain(
            events()
                .into_iter()
                .map(|event| service.client.post(&invoke).header(LOG_TYPE, "Tail").body(event)),
        )
        .chain(odd(&service))
        .collect();
    let shouts = [
        format!("{SECRET} {TOKEN}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{SECRET}: {TOKEN}\r\n{TOKEN}\r\n\r\n"),
        format!("POST /{TOKEN} HTTP/1.1\r\nHost: {SECRET} {TOKEN}\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {SECRET}, chunked\r\n\r\n"),
    ];
    let count = requests.len() + shouts.len();
    for request in requests {
        ask(request).await;
    }
    for text in shouts {
        shout(&service, &text).await;
    }
    let end = service.stop().await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{:#?}", end.stderr);
    (end.stdout, count)
}

/// Whether a line contains part of a secret, or a complete access key ID.
pub fn tells(line: &str) -> bool {
    let mut keys = [GOOD, WRONG].into_iter().chain(ECHOES.map(|(key, _)| key));
    !parts_in(line).is_empty() || keys.any(|key| line.contains(key))
}

pub fn assert_nothing_told(lines: &[String]) {
    let telling: Vec<_> = lines.iter().filter(|line| tells(line) || line.contains("panicked")).collect();
    assert!(telling.is_empty(), "{telling:#?}");
}

#[tokio::test]
async fn a_json_log_holds_no_secret_and_one_line_a_request() {
    let (lines, count) = everything("json", &[]).await;
    assert_nothing_told(&lines);
    let requests: Vec<_> =
        lines.iter().map(|line| json(line)).filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), count, "{requests:#?}");
    for line in requests {
        let named =
            ["method", "route", "status", "duration_ms", "request_id"].map(|name| !line[name].is_null());
        assert_eq!(named, [true; 5], "{line}");
    }
}

#[tokio::test]
async fn a_text_log_holds_no_secret_and_one_line_a_request() {
    let (lines, count) = everything("text", &[]).await;
    assert_nothing_told(&lines);
    let requests: Vec<_> = lines.iter().filter(|line| line.contains(" INFO request ")).collect();
    assert_eq!(requests.len(), count, "{requests:#?}");
    for line in requests {
        let named = ["method=", "route=", "status=", "duration_ms=", "request_id="];
        assert!(named.iter().all(|name| line.contains(name)), "{line}");
    }
}

#[test]
fn a_part_of_a_secret_would_be_found() {
    for secret in [SECRET, TOKEN] {
        for start in 0..=secret.len() - PART {
            let part = &secret[start..start + PART];
            assert_eq!(parts_in(&format!("<{part}>")), [part]);
        }
    }
    assert_eq!(parts_in(&TOKEN[..PART - 1]), Vec::<&str>::new());
}
