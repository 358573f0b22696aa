//! Request heads that are refused by the parser, or because two parsers might read different requests from
//! them.

use crate::helpers::{App, metric, someone};
use crate::raw::{Answer, Client, post};
use crate::stub::{Stub, identity};

/// The metric of requests whose head was refused with this status.
fn refused(status: u16) -> String {
    format!(
        "http_server_request_duration_seconds_count{{http_request_method=\"other\",http_route=\"unmatched\",\
         http_response_status_code=\"{status}\"}}"
    )
}

/// Sends this, and returns the only answer, after which the connection is closed.
async fn only_answer(app: &App, text: &str) -> Answer {
    let mut client = Client::send(app.address, text).await;
    let answer = client.answer().await;
    assert_eq!(client.rest().await, b"", "nothing follows: {text}");
    assert!(answer.closes(), "{answer:?}");
    answer
}

#[tokio::test]
async fn an_invalid_head_gets_the_common_error_format_and_headers_and_is_counted() {
    let app = App::with_sandbox(&[]).await;
    let long = "x".repeat(40_000);
    let many = "a: b\r\n".repeat(101);
    let mut counts = [(400, 0.0), (431, 0.0), (505, 0.0)];
    for (text, status, code) in [
        ("hello\r\n\r\n", 400, "MalformedRequest"),
        ("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, "MalformedRequest"),
        ("GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400, "MalformedRequest"),
        ("GET / HTTP/3.7\r\nHost: x\r\n\r\n", 400, "MalformedRequest"),
        ("G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "MalformedRequest"),
        ("POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n", 400, "MalformedRequest"),
        (&format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"), 431, "RequestHeaderFieldsTooLarge"),
        (&format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), 431, "RequestHeaderFieldsTooLarge"),
        (&format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431, "RequestHeaderFieldsTooLarge"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", 505, "HttpVersionNotSupported"),
    ] {
        let answer = only_answer(&app, text).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{text}");
        for line in [
            "access-control-allow-origin: *",
            "x-request-id: ",
            "cache-control: no-store",
            "content-type: application/json",
            "date: ",
        ] {
            assert!(answer.head.contains(&format!("\r\n{line}")), "{line} in {}", answer.head);
        }
        counts.iter_mut().find(|count| count.0 == status).unwrap().1 += 1.0;
    }
    for (status, count) in counts {
        assert_eq!(metric(&app, &refused(status)).await, Some(count), "{status}");
    }
}

#[tokio::test]
async fn a_head_may_have_32_kib_and_not_a_byte_more() {
    let app = App::with_sandbox(&[]).await;
    let head = |length: usize| {
        let start = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
    };
    for (length, status) in [(32_768, 200), (32_769, 431), (40_000, 431)] {
        assert_eq!(only_answer(&app, &head(length)).await.status, status, "{length}");
    }
}

#[tokio::test]
async fn a_bad_head_after_a_good_request_is_refused_in_the_same_way() {
    let app = App::with_sandbox(&[]).await;
    for between in ["", "pause"] {
        let mut client = Client::send(app.address, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
        if !between.is_empty() {
            assert_eq!(client.answer().await.status, 200);
        }
        client.write("nonsense\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
        if between.is_empty() {
            assert_eq!(client.answer().await.status, 200);
        }
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "MalformedRequest"));
        assert!(answer.closes() && client.rest().await.is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_without_one_good_host_is_refused_on_every_route() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    let body = someone().to_string();
    let length = body.len();
    for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host:\r\n"] {
        for (request, body) in [("GET /livez", ""), ("OPTIONS /verify", ""), ("POST /verify", &*body)] {
            let length = if body.is_empty() { 0 } else { length };
            let text = format!(
                "{request} HTTP/1.1\r\n{hosts}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            let answer = only_answer(&app, &text).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidHost"), "{text}");
            assert!(answer.head.contains("\r\naccess-control-allow-origin: *\r\n"), "{answer:?}");
        }
    }
    assert_eq!(stub.count(), 0);
    assert_eq!(metric(&app, &refused(400)).await, Some(15.0));
    // HTTP/1.0 does not require Host.
    assert_eq!(Client::send(app.address, "GET /livez HTTP/1.0\r\n\r\n").await.answer().await.status, 200);
}

#[tokio::test]
async fn a_transfer_coding_other_than_chunked_once_is_refused() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    let body = someone().to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for headers in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: ,chunked\r\n",
    ] {
        for coded in ["", &*chunked] {
            let answer = only_answer(&app, &post(headers, coded)).await;
            let told = (answer.status, answer.code());
            assert_eq!(told, (400, "UnsupportedTransferEncoding".to_owned()), "{headers}");
        }
    }
    assert_eq!(stub.count(), 0);
    let answer =
        only_answer(&app, &post("Transfer-Encoding: Chunked\r\nConnection: close\r\n", &chunked)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_origin_that_may_read_answers_may_read_a_refusal() {
    let app = App::with_sandbox(&["--cors-origins=https://a.example"]).await;
    for (origin, allowed) in [("https://a.example", true), ("https://b.example", false)] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nOrigin: {origin}\r\n\r\n");
        let answer = only_answer(&app, &text).await;
        let header = format!("\r\naccess-control-allow-origin: {origin}\r\n");
        assert_eq!(answer.head.contains(&header), allowed, "{answer:?}");
    }
}

#[tokio::test]
async fn a_refused_head_at_a_gate_has_the_headers_of_its_answers_and_none_of_cors() {
    let app = App::with_sandbox(&[]).await;
    for head in ["Host: a\r\nHost: b", "Host: a\r\nTransfer-Encoding: gzip, chunked"] {
        let answer = only_answer(&app, &format!("GET /auth/p/x HTTP/1.1\r\n{head}\r\n\r\n")).await;
        assert_eq!(answer.status, 400, "{head}");
        for name in ["x-sts-account", "x-sts-principal", "x-sts-arn", "x-sts-org-path"] {
            assert!(answer.head.contains(&format!("\r\n{name}: \r\n")), "{name} in {}", answer.head);
        }
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
}
