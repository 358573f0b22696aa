//! The sandbox over a socket.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use tokio::{net::TcpListener, sync::oneshot, task::spawn_blocking};

use super::Ask;
use crate::sandbox::serve;

/// Runs `client`, which blocks, against a sandbox on a free port, then stops the sandbox and waits for its end.
async fn with_sandbox<T: Send + 'static>(client: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, async { _ = stopped.await }));
    let result = spawn_blocking(move || client(address)).await.expect("the client ends");
    drop(stop);
    served.await.expect("no panic").expect("no error");
    result
}

/// Sends a request and reads until the connection is closed.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    // The sandbox may close before it has read everything.
    _ = stream.write_all(request);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

/// The bytes of a row's request.
fn bytes(key: &str) -> Vec<u8> {
    let request = Ask::now(key).post();
    let length = request.body.len();
    let mut text = format!("POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in &request.headers {
        text.push_str(name.as_str());
        text.push_str(": ");
        text.push_str(value.to_str().expect("text"));
        text.push_str("\r\n");
    }
    [text.as_bytes(), b"\r\n", &request.body].concat()
}

#[tokio::test]
async fn a_caller_is_named_with_the_headers_in_sts_s_order() {
    let answer = with_sandbox(|address| exchange(address, &bytes(super::USER))).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let headers = answer.lines().skip(1).map_while(|line| line.split_once(": "));
    let names: Vec<_> = headers.map(|(name, _)| name).filter(|name| *name != "connection").collect();
    let recorded =
        ["x-amzn-requestid", "x-amz-sts-extended-request-id", "content-type", "content-length", "date"];
    assert_eq!(names, recorded);
}

#[tokio::test]
async fn the_row_that_hangs_up_gets_not_a_byte() {
    assert_eq!(with_sandbox(|address| exchange(address, &bytes("AKIASBXHANGUPEXAMPLE"))).await, "");
}

#[tokio::test]
async fn a_body_over_the_limit_closes_the_connection() {
    let answer = with_sandbox(|address| {
        let mut request = b"POST / HTTP/1.1\r\nhost: sts\r\ncontent-length: 70000\r\n\r\n".to_vec();
        request.extend_from_slice(&vec![b'a'; 70_000]);
        exchange(address, &request)
    })
    .await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn the_sandbox_says_that_it_is_up() {
    let request = b"GET /livez HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n";
    let answer = with_sandbox(|address| exchange(address, request)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[tokio::test]
async fn an_idle_connection_does_not_keep_the_sandbox_from_stopping() {
    let mut idle = with_sandbox(|address| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: sandbox\r\n\r\n").expect("sent");
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        stream
    })
    .await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).expect("the end of the connection");
}
