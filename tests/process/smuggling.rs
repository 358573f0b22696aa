//! Request smuggling: ambiguous heads are refused, and the body of a request is never read as a request (RFC
//! 9112, section 11.2).

use crate::program::{PATIENCE, Scratch, Service, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The smuggled request.
const HIDDEN: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

/// The statuses of the answers on one connection, until it is closed.
async fn statuses(service: &Service, request: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let closed = async { while stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {} };
    timeout(PATIENCE, closed).await.expect("the service closes");
    String::from_utf8_lossy(&answer).split("HTTP/1.1 ").skip(1).map(|text| text[..3].to_owned()).collect()
}

/// A service that closes idle connections soon.
async fn service(variables: &[(&str, &str)]) -> Service {
    let limits = [("STS_VERIFY_KEEP_ALIVE", "300ms"), ("STS_VERIFY_READ_TIMEOUT", "300ms")];
    Service::with_arguments(&["serve", "--sandbox"], &[&limits, variables].concat()).await
}

#[tokio::test]
async fn an_ambiguous_head_is_refused_together_with_everything_after_it() {
    let service = service(&[]).await;
    for headers in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 40\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Host: y\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: a\r\n b\r\nContent-Length: 2\r\n",
        "X: a\rContent-Length: 2\r\n",
    ] {
        let head =
            format!("POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n");
        assert_eq!(statuses(&service, &format!("{head}0\r\n\r\n{HIDDEN}")).await, ["400"], "{headers}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_read_is_not_taken_for_the_next_request() {
    let files = Scratch::new("smuggling");
    let made = run(&["api-key"], &[]).await.stdout;
    let digest = made.iter().find(|line| line.starts_with("sha256:")).unwrap();
    let service = service(&[("STS_VERIFY_API_KEYS_FILE", &files.file("keys", digest))]).await;
    for (request, status) in
        [("POST /verify", "401"), ("GET /verify", "405"), ("POST /nothing", "404"), ("GET /livez", "200")]
    {
        let body = HIDDEN.repeat(3);
        let head = format!("{request} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        assert_eq!(statuses(&service, &format!("{head}{body}")).await, [status], "{request}");
    }
    // Two requests, one after another, are read as two.
    assert_eq!(statuses(&service, &HIDDEN.repeat(2)).await, ["200", "200"]);
}
