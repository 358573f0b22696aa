//! Answers that are sent before the request's body was read completely. The client must know whether it can
//! reuse the connection: a proxy would send another caller's request on a connection that is about to be
//! closed.

use crate::helpers::{App, metric, someone};
use crate::raw::{Client, post};
use std::fmt::Write as _;

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

/// Requests that are refused without reading the body.
const REFUSED: [(&str, u16); 5] = [
    ("POST /nothing HTTP/1.1\r\nHost: x\r\n", 404),
    ("PUT /verify HTTP/1.1\r\nHost: x\r\n", 405),
    ("POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n", 415),
    (
        "POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\nX-Amz-Invocation-Type: DryRun\r\n",
        204,
    ),
    ("GET /livez HTTP/1.1\r\nHost: x\r\n", 200),
];

#[tokio::test]
async fn before_a_large_body_the_answer_says_that_the_connection_is_closed_and_arrives() {
    let app = App::with_sandbox(&[]).await;
    for (head, status) in REFUSED {
        for (coding, piece) in [
            ("Content-Length: 4000000\r\n", " ".repeat(4_000)),
            ("Transfer-Encoding: chunked\r\n", format!("fa0\r\n{}\r\n", " ".repeat(4_000))),
        ] {
            let mut client = Client::send(app.address, format!("{head}{coding}\r\n{piece}")).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.closes()), (status, true), "{head}{coding}{answer:?}");
            // The rest is read, so that no reset overtakes the answer to a slow client.
            for _ in 0..999 {
                client.write(&piece).await;
            }
            assert_eq!(client.rest().await, b"");
        }
    }
}

#[tokio::test]
async fn the_rest_of_a_small_body_is_discarded_and_the_connection_kept() {
    let app = App::with_sandbox(&[]).await;
    for (head, status) in REFUSED {
        for at_once in [true, false] {
            let body = "x".repeat(50_000);
            let mut client = Client::connect(app.address).await;
            client.write(format!("{head}Content-Length: 50000\r\n\r\n{}", &body[..20_000])).await;
            if at_once {
                client.write(&body[20_000..]).await;
            }
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.closes()), (status, false), "{head}{answer:?}");
            if !at_once {
                client.write(&body[20_000..]).await;
            }
            client.write(LIVEZ).await;
            assert_eq!(client.answer().await.status, 200, "{head}");
        }
    }
}

#[tokio::test]
async fn the_rest_of_a_body_that_does_not_arrive_times_out() {
    let app = App::with_sandbox(&["--read-timeout=300ms", "--keep-alive=1h"]).await;
    let mut client = Client::send(app.address, format!("{}Content-Length: 9\r\n\r\nx", REFUSED[0].0)).await;
    assert!(!client.answer().await.closes());
    assert_eq!(client.rest().await, b"");
    let series = "http_server_timed_out_connections_total{waited_for=\"body\"}";
    assert_eq!(metric(&app, series).await, Some(1.0));
    // A late request does not shorten the time that the connection may be idle.
    let mut client = Client::send(app.address, format!("{}Content-Length: 2\r\n\r\nx", REFUSED[0].0)).await;
    client.answer().await;
    client.write("x").await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    client.write(LIVEZ).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_without_100_continue_may_send_the_body_or_nothing_and_neither_is_read_as_a_request() {
    let app = App::with_sandbox(&[]).await;
    for (head, status) in REFUSED {
        let expects = format!("{head}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n", LIVEZ.len());
        let mut client = Client::send(app.address, expects).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (status, true), "{answer:?}");
        client.write(LIVEZ).await;
        assert_eq!(client.rest().await, b"", "{head}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_in_its_coding_closes_the_connection_and_the_answer_says_so() {
    let app = App::with_sandbox(&[]).await;
    for broken in ["zz\r\n", "2\r\n{}}\r\n", "ffffffffffffffffff\r\n", "2\r\n{}\r\n0\r\nno trailer\r\n\r\n"] {
        let mut client = Client::send(app.address, post("Transfer-Encoding: chunked\r\n", broken)).await;
        client.write(LIVEZ).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (400, true), "{broken} {answer:?}");
        assert_eq!(answer.code(), "IncompleteBody", "{broken}");
        assert_eq!(client.rest().await, b"", "{broken}");
    }
}

#[tokio::test]
async fn a_body_that_stops_or_grows_too_long_closes_the_connection_and_the_answer_says_so() {
    let app = App::with_sandbox(&["--read-timeout=300ms", "--max-body-bytes=1000"]).await;
    for (text, status) in [
        (post("Content-Length: 100\r\n", "{"), 408),
        (post("Transfer-Encoding: chunked\r\n", "1\r\n{\r\n"), 408),
        (post("Transfer-Encoding: chunked\r\n", &format!("3e9\r\n{}", " ".repeat(1_001))), 413),
        (post("Content-Length: 70000\r\n", ""), 413),
    ] {
        let mut client = Client::send(app.address, &text).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (status, true), "{text} {answer:?}");
        assert_eq!(client.rest().await, b"", "{text}");
    }
}

#[tokio::test]
async fn after_a_body_that_was_read_the_connection_is_kept_whatever_the_answer() {
    let app = App::with_sandbox(&[]).await;
    let mut client = Client::connect(app.address).await;
    let good = someone().to_string();
    for body in [good.as_str(), "{", "", "[]"] {
        let mut chunks = String::new();
        for char in body.chars() {
            write!(chunks, "1\r\n{char}\r\n").unwrap();
        }
        for text in [
            post(&format!("Content-Length: {}\r\n", body.len()), body),
            post("Transfer-Encoding: chunked\r\n", &format!("{chunks}0\r\n\r\n")),
        ] {
            client.write(&text).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.closes()), (400, false), "{text} {answer:?}");
        }
    }
}
