//! Request bodies: their maximum length, and the memory of all bodies.

use crate::helpers::{App, expected, header, metric, someone, summary};
use crate::raw::{Answer, Client, post};
use std::fmt::Write as _;

const INVOKE: &str = "POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\n";

/// Both routes that read bodies, and whether it is Lambda's.
fn routes(headers: &str) -> [(String, bool); 2] {
    [(post(headers, ""), false), (format!("{INVOKE}{headers}\r\n"), true)]
}

fn assert_too_large(answer: &Answer, lambda: bool) {
    assert_eq!(answer.status, 413);
    if lambda {
        assert!(answer.head.contains("\r\nx-amzn-errortype: requesttoolargeexception\r\n"), "{answer:?}");
    } else {
        assert_eq!(answer.code(), "RequestTooLarge");
    }
    assert!(answer.closes(), "{answer:?}");
}

#[tokio::test]
async fn a_body_announced_as_too_large_is_refused_before_it_is_sent() {
    let app = App::with_sandbox(&["--read-timeout=1h"]).await;
    for length in ["65537", "10000000000", "18446744073709551613"] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            for (head, lambda) in routes(&format!("Content-Length: {length}\r\n{expect}")) {
                let mut client = Client::send(app.address, &head).await;
                // Neither 100 Continue, nor 408 after the timeout.
                assert_too_large(&client.answer().await, lambda);
                assert!(client.rest().await.is_empty(), "{head}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_grows_beyond_the_limit_is_refused_when_it_does() {
    let app = App::with_sandbox(&["--max-body-bytes=1000", "--read-timeout=1h"]).await;
    for (head, lambda) in routes("Transfer-Encoding: chunked\r\n") {
        let mut client = Client::send(app.address, head).await;
        for _ in 0..10 {
            client.write(format!("64\r\n{}\r\n", " ".repeat(100))).await;
        }
        client.write("1\r\n \r\n").await;
        assert_too_large(&client.answer().await, lambda);
        assert!(client.rest().await.is_empty());
    }
}

#[tokio::test]
async fn an_allowed_body_gets_100_continue() {
    let app = App::with_sandbox(&[]).await;
    let body = someone().to_string();
    let length = body.len();
    let head = post(&format!("Content-Length: {length}\r\nExpect: 100-continue\r\n"), "");
    let mut client = Client::send(app.address, head).await;
    assert_eq!(client.answer().await.status, 100);
    client.write(&body).await;
    assert_eq!(client.answer().await.code(), "InvalidClientTokenId");
    // Without a body, 100 Continue is not needed.
    client.write(post("Expect: 100-continue\r\n", "")).await;
    assert_eq!(client.answer().await.code(), "MalformedJson");
    client.write("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_in_the_smallest_pieces_is_read() {
    let app = App::with_sandbox(&[]).await;
    let body = format!("{}{}", someone(), " ".repeat(60_000));
    let mut text = post("Transfer-Encoding: chunked\r\n", "");
    for char in body.chars() {
        write!(text, "1\r\n{char}\r\n").unwrap();
    }
    text += "0\r\nTrailer: x\r\n\r\n";
    let mut client = Client::send(app.address, text).await;
    assert_eq!(client.answer().await.code(), "InvalidClientTokenId");
}

/// As many unfinished bodies as are accepted.
async fn unfinished(app: &App, length: usize, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let text = post(&format!("Content-Length: {length}\r\n"), &" ".repeat(length - 1));
        clients.push(Client::send(app.address, text).await);
    }
    clients
}

#[tokio::test]
async fn when_body_memory_is_used_up_the_next_body_is_shed_and_small_ones_are_still_accepted() {
    let app =
        App::with_sandbox(&["--max-body-memory=400000", "--max-body-bytes=65536", "--read-timeout=1h"]).await;
    // Three quarters, 300,000 bytes: room for four of these.
    let mut clients = unfinished(&app, 65_536, 6).await;
    let memory = async || metric(&app, "http_server_body_memory_bytes").await.unwrap();
    while memory().await < 4.0 * 65_536.0 {}
    while metric(&app, "http_server_shed_bodies_total").await != Some(2.0) {}
    for _ in 0..2 {
        // Any of them may be the refused ones.
        let (shed, answer) = first_answer(&mut clients).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "Overloaded"));
        assert!(answer.closes() && answer.head.contains("\r\nretry-after: 1\r\n"), "{answer:?}");
        clients.remove(shed);
    }
    assert!(memory().await <= 300_000.0);
    assert_eq!(summary(app.verify_someone().await).await, expected(400, "invalid", "InvalidClientTokenId"));
    drop(clients);
    while memory().await > 0.0 {}
}

async fn first_answer(clients: &mut [Client]) -> (usize, crate::raw::Answer) {
    let answers = clients.iter_mut().map(|client| Box::pin(client.answer()));
    let (answer, number, _) = futures_util::future::select_all(answers).await;
    (number, answer)
}

#[tokio::test]
async fn small_bodies_may_use_the_whole_limit() {
    let app = App::with_sandbox(&["--max-body-memory=65536", "--read-timeout=1h"]).await;
    // Each has the smallest buffer, of 2 KiB.
    let clients = unfinished(&app, 1_000, 32).await;
    while metric(&app, "http_server_body_memory_bytes").await != Some(65_536.0) {}
    let response = app.verify_someone().await;
    assert_eq!(header(&response, "retry-after"), Some("1"));
    assert_eq!(summary(response).await, expected(503, "", "Overloaded"));
    drop(clients);
    while metric(&app, "http_server_body_memory_bytes").await != Some(0.0) {}
    assert_eq!(app.verify_someone().await.status(), 400);
}
