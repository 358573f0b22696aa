//! POST /verify/batch: one line of output per line of input, within the limits of a batch.

use crate::helpers::{App, body_of, caller, expected, header, metric, someone, summary};
use crate::stub::{EXPIRED, Reply, Stub, identity, sts_error};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use reqwest::{Body, Response};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::convert::Infallible;
use sts_verify::callers::api_keys::NewKey;
use tokio::sync::{mpsc, watch};

const NDJSON: &str = "application/x-ndjson";

async fn post(app: &App, body: impl Into<Body>) -> Response {
    let request = app.client.post(app.url("/verify/batch")).header("content-type", NDJSON);
    request.body(body).send().await.unwrap()
}

/// The answers by line number.
async fn answers(app: &App, lines: &[Value]) -> Vec<Value> {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let response = post(app, lines.join("\n")).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, Some(NDJSON)));
    sorted(&response.text().await.unwrap())
}

fn sorted(text: &str) -> Vec<Value> {
    let mut answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    answers.sort_by_key(|answer| answer["line"].as_u64());
    answers
}

fn codes(answers: &[Value]) -> Vec<(u64, u64, Option<&str>)> {
    let number = |answer: &Value, name: &str| answer[name].as_u64().unwrap();
    let code = |answer: &'_ Value| (number(answer, "line"), number(answer, "status"));
    answers.iter().map(|one| (code(one).0, code(one).1, one["body"]["error_code"].as_str())).collect()
}

/// A batch whose lines are sent one by one.
struct Upload {
    lines: Option<mpsc::UnboundedSender<String>>,
    response: Response,
    read: String,
}

impl Upload {
    async fn begin(app: &App, first: &Value) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel::<String>();
        sender.send(format!("{first}\n")).unwrap();
        let pieces = stream::unfold(receiver, |mut receiver| async {
            let line = receiver.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(line))), receiver))
        });
        let response = post(app, Body::wrap(StreamBody::new(pieces))).await;
        assert_eq!(response.status(), 200);
        Self { lines: Some(sender), response, read: String::new() }
    }

    fn send(&self, line: &Value) {
        self.lines.as_ref().unwrap().send(format!("{line}\n")).unwrap();
    }

    /// The next answer; `None` at the end.
    async fn answer(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.read.split_once('\n') {
                let (answer, rest) = (serde_json::from_str(line).unwrap(), rest.len());
                self.read.drain(..self.read.len() - rest);
                return Some(answer);
            }
            let piece = self.response.chunk().await.unwrap()?;
            self.read.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

#[tokio::test]
async fn each_line_is_answered_as_it_would_be_by_itself() {
    let app = App::with_sandbox(&[]).await;
    let table = sts_sandbox::table();
    let good = body_of(caller(&table[0].access_key_id));
    let lines = [good.clone(), someone(), json!({"stsAccessKey": "AKIAIOSFODNN7EXAMPLE"}), json!([1]), good];
    let text = format!("{}\r\n\n{}\n \n{}\n{}\n{}", lines[0], lines[1], lines[2], lines[3], lines[4]);
    let told = sorted(&post(&app, text).await.text().await.unwrap());
    let numbers: Vec<_> = told.iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 3, 5, 6, 7], "blank lines are counted");
    for (answer, line) in told.iter().zip(&lines) {
        let alone = app.verify_text(line.to_string()).await;
        assert_eq!(answer["status"], alone.status().as_u16());
        assert_eq!(answer["verdict"].as_str(), header(&alone, "x-sts-verdict"), "{answer}");
        let retry_after = header(&alone, "retry-after").map(|text| text.parse::<u64>().unwrap());
        assert_eq!(answer["retry_after"].as_u64(), retry_after);
        let names: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["line", "status", "verdict", "retry_after", "body"]);
        let mut alone: Value = alone.json().await.unwrap();
        let mut body = answer["body"].clone();
        for body in [&mut alone, &mut body] {
            // The request ID and the time differ.
            body["aws_res"]["ResponseMetadata"].take();
        }
        assert_eq!(body, alone);
    }
}

#[tokio::test]
async fn an_answer_comes_while_the_next_line_is_still_to_be_sent() {
    let app = App::with_sandbox(&["--read-timeout=1ms"]).await;
    let good = body_of(caller(&sts_sandbox::table()[0].access_key_id));
    let mut upload = Upload::begin(&app, &good).await;
    for number in 1..=3 {
        let answer = upload.answer().await.unwrap();
        assert_eq!((&answer["line"], &answer["verdict"]), (&json!(number), &json!("valid")));
        upload.send(&good);
    }
    upload.lines = None;
    assert_eq!(upload.answer().await.unwrap()["line"], 4);
    assert_eq!(upload.answer().await, None);
    assert_eq!(metric(&app, "sts_verify_batch_lines_total").await, Some(4.0));
    assert_eq!(metric(&app, "sts_verify_total{verdict=\"valid\",proof=\"credentials\"}").await, Some(4.0));
}

#[tokio::test]
async fn an_error_in_a_line_is_in_its_answer_and_ends_no_other_line() {
    let stub = Stub::start(|_, request| match request {
        request if request.contains("AKIATHROTTLED0000001") => sts_error(400, "Throttling", "Rate exceeded"),
        request if request.contains("AKIACLOSED0000000001") => Reply::Close,
        _ => identity(),
    })
    .await;
    let app = App::asking(&stub.url, &["--max-attempts=1", "--max-body-bytes=200", "--audience=a"]).await;
    let key = |id: &str| json!({"stsAccessKey": id, "stsSecretKey": "secret"});
    let lines = [
        key("AKIATHROTTLED0000001"),
        key("AKIACLOSED0000000001"),
        json!({"padding": "x".repeat(300)}),
        json!({"presigned_url": "https://sts.amazonaws.com/"}),
        json!({"token": "eyJ.e.s"}),
        json!({"region": "mars-1", "stsAccessKey": "AKIAIOSFODNN7EXAMPLE", "stsSecretKey": "secret"}),
        key("AKIAIOSFODNN7EXAMPLE"),
    ];
    let told = answers(&app, &lines).await;
    assert_eq!(
        codes(&told),
        [
            (1, 400, Some("Throttling")),
            (2, 502, Some("ConnectionClosedError")),
            (3, 413, Some("RequestTooLarge")),
            (4, 400, Some("RequestNotAllowed")),
            (5, 400, Some("ProofNotAccepted")),
            (6, 400, Some("RegionNotAllowed")),
            (7, 200, None),
        ]
    );
    assert_eq!(told[0]["retry_after"], 5);
    assert_eq!(told[3]["verdict"], "invalid");
    assert_eq!(metric(&app, "sts_verify_errors_total{code=\"RequestTooLarge\"}").await, Some(1.0));
}

#[tokio::test]
async fn the_first_line_above_the_limit_is_refused_and_ends_the_reading() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--batch-lines=2"]).await;
    let told = answers(&app, &[someone(), someone(), someone(), someone()]).await;
    assert_eq!(codes(&told), [(1, 200, None), (2, 200, None), (3, 413, Some("TooManyLines"))]);
    // Blank lines are counted.
    for (blank, refused) in [("\n", &[][..]), ("\n\n", &[]), ("\n\n\n", &[(3, 413, Some("TooManyLines"))])] {
        let text = post(&app, format!("{}{blank}", someone())).await.text().await.unwrap();
        assert_eq!(codes(&sorted(&text)), [&[(1, 200, None)], refused].concat(), "{blank:?}");
    }
    let text = post(&app, "\n".repeat(1_000)).await.text().await.unwrap();
    assert_eq!(codes(&sorted(&text)), [(3, 413, Some("TooManyLines"))]);
}

#[tokio::test]
async fn a_body_that_is_not_a_batch_is_refused_before_it_is_read() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    for other in ["application/json", "application/x-www-form-urlencoded", "text/plain", ""] {
        let request = app.client.post(app.url("/verify/batch")).header("content-type", other);
        let response = request.body(someone().to_string()).send().await.unwrap();
        assert_eq!(header(&response, "accept"), Some(NDJSON), "{other}");
        assert_eq!(summary(response).await, expected(415, "", "UnsupportedMediaType"), "{other}");
    }
    let request = app.client.post(app.url("/verify/batch")).header("content-type", NDJSON);
    let coded = request.header("content-encoding", "gzip").body("x").send().await.unwrap();
    assert_eq!(summary(coded).await, expected(415, "", "UnsupportedMediaType"));
    let with_charset = app
        .client
        .post(app.url("/verify/batch"))
        .header("content-type", "Application/X-NDJSON; charset=utf-8");
    assert_eq!(with_charset.body("\n").send().await.unwrap().status(), 200);
    let empty = post(&app, "").await;
    assert_eq!((empty.status().as_u16(), empty.text().await.unwrap().as_str()), (200, ""));
    assert_eq!(app.get("/verify/batch").await.status(), 405);
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn a_batch_needs_a_key_where_keys_are_asked_for() {
    let stub = Stub::always(identity()).await;
    let new = NewKey::generate(None).unwrap();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("batch-api-keys.txt");
    std::fs::write(&file, &new.line).unwrap();
    let app = App::asking(&stub.url, &[&format!("--api-keys-file={}", file.display())]).await;
    assert_eq!(summary(post(&app, someone().to_string()).await).await, expected(401, "", "Unauthorized"));
    let request = app.client.post(app.url("/verify/batch")).header("content-type", NDJSON);
    let request = request.bearer_auth(new.key.expose_secret()).body(someone().to_string());
    assert_eq!(codes(&sorted(&request.send().await.unwrap().text().await.unwrap())), [(1, 200, None)]);
}

#[tokio::test]
async fn each_line_counts_for_the_caller_s_limit_and_waits_for_it_until_the_deadline() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=3/h", "--batch-deadline=3s"]).await;
    let told = answers(&app, &vec![someone(); 5]).await;
    let counted = |status: u64| told.iter().filter(|answer| answer["status"] == status).count();
    assert_eq!((counted(200), counted(504)), (3, 2), "{told:?}");
    let late = told.iter().find(|answer| answer["status"] == 504).unwrap();
    assert_eq!((&late["body"]["error_code"], &late["verdict"]), (&json!("BatchDeadline"), &Value::Null));
    assert_eq!(app.verify_someone().await.status(), 429, "the lines have used it up");
}

#[tokio::test]
async fn a_batch_is_paced_by_the_rate_limit_whatever_the_burst() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &["--rate-limit=20/s", "--rate-burst=1", "--batch-deadline=15s"]).await;
    // Enough for two seconds.
    let told = answers(&app, &vec![someone(); 40]).await;
    assert!(told.iter().all(|answer| answer["status"] == 200), "{told:?}");
}

#[tokio::test]
async fn a_line_waits_for_a_permit_for_a_request_in_flight() {
    let (open, may) = watch::channel(false);
    let stub = Stub::start(move |n, _| match n {
        0 => Reply::Held(may.clone(), Box::new(identity())),
        _ => identity(),
    })
    .await;
    let app = App::asking(&stub.url, &["--max-in-flight=1"]).await;
    // Different credentials, so that no call is shared.
    let key = |n: usize| json!({"stsAccessKey": format!("AKIAIOSFODNN7EXAMPL{n}"), "stsSecretKey": "secret"});
    let mut upload = Upload::begin(&app, &key(0)).await;
    (1..6).for_each(|n| upload.send(&key(n)));
    upload.lines = None;
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    open.send_replace(true);
    let mut valid = 0;
    while let Some(answer) = upload.answer().await {
        assert_eq!(answer["status"], 200, "{answer}");
        valid += 1;
    }
    assert_eq!((valid, metric(&app, "sts_verify_shed_total").await), (6, Some(0.0)));
}

#[tokio::test]
async fn a_batch_verifies_no_more_lines_at_once_than_allowed() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(sts_error(403, "ExpiredToken", EXPIRED)))).await;
    let app = App::asking(&stub.url, &["--batch-in-flight=2"]).await;
    let key = |n: usize| json!({"stsAccessKey": format!("AKIAIOSFODNN7EXAMPL{n}"), "stsSecretKey": "secret"});
    let mut upload = Upload::begin(&app, &key(0)).await;
    (1..9).for_each(|n| upload.send(&key(n)));
    upload.lines = None;
    while stub.count() < 2 {
        tokio::task::yield_now().await;
    }
    // Another caller gets an answer meanwhile, and all possible calls were made by then.
    assert_eq!(app.get("/livez").await.status(), 200);
    assert_eq!(stub.count(), 2);
    open.send_replace(true);
    let mut count = 0;
    while upload.answer().await.is_some() {
        count += 1;
    }
    assert_eq!((count, stub.count()), (9, 9));
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_batch() {
    let stub = Stub::always(Reply::Silence).await;
    let app = App::asking(&stub.url, &[]).await;
    let upload = Upload::begin(&app, &someone()).await;
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(metric(&app, "http_server_active_requests").await, Some(2.0), "this one, and the batch");
    drop(upload);
    while metric(&app, "http_server_active_requests").await != Some(1.0) {}
    let left = "http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/verify/batch\",http_response_status_code=\"499\"}";
    assert_eq!(metric(&app, left).await, Some(1.0));
}
