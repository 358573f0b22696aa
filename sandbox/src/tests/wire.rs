//! The sandbox over a socket.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use tokio::task::spawn_blocking;

use super::Ask;
use crate::{Sandbox, request::Received};

/// Runs `client`, which blocks, against a sandbox on a free port, then stops the sandbox and waits for its end.
async fn with_sandbox<T: Send + 'static>(client: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
    let builder = Sandbox::builder().callers(crate::table()).remember_wrong_secrets();
    let sandbox = builder.start().await.expect("a free port");
    let address = sandbox.url().trim_start_matches("http://").parse().expect("an address");
    let result = spawn_blocking(move || client(address)).await.expect("the client ends");
    sandbox.run_until(async {}).await.expect("no error");
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

/// The bytes of a row's request, the last of its connection.
fn bytes(key: &str) -> Vec<u8> {
    bytes_of(&Ask::now(key).post(), "close")
}

fn bytes_of(request: &Received, connection: &str) -> Vec<u8> {
    let length = request.body.len();
    let mut text = format!("POST / HTTP/1.1\r\nconnection: {connection}\r\ncontent-length: {length}\r\n");
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

/// Sends a request over a connection that stays open and reads the response.
fn ask_over(stream: &mut TcpStream, request: &Received) -> String {
    stream.write_all(&bytes_of(request, "keep-alive")).expect("sent");
    let mut response = String::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).expect("a byte of the response");
        response.push(char::from(byte[0]));
        if response.ends_with("Response>\n") {
            return response;
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_is_remembered_on_its_own_connection_alone() {
    with_sandbox(|address| {
        let mut connections = [(); 2].map(|()| TcpStream::connect(address).expect("a connection"));
        let [wrong, right] = ["x".repeat(40), super::row(super::USER).secret_access_key]
            .map(|secret| Ask::now(super::USER).with(|ask| ask.secret = secret).post());
        for (connection, request, status) in [(0, &wrong, "403"), (0, &right, "403"), (1, &right, "200")] {
            let response = ask_over(&mut connections[connection], request);
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sandbox_that_is_dropped_closes_its_listener_and_its_connections() {
    let sandbox = Sandbox::builder().start().await.expect("a free port");
    let address: SocketAddr = sandbox.url().trim_start_matches("http://").parse().expect("an address");
    let (mut idle, sandbox) = spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: sandbox\r\n\r\n").expect("sent");
        stream.read_exact(&mut [0]).expect("a response");
        (stream, sandbox)
    })
    .await
    .expect("the client ends");
    drop(sandbox);
    spawn_blocking(move || {
        idle.read_to_end(&mut Vec::new()).expect("the end of the connection");
        assert!(TcpStream::connect(address).is_err(), "it still listens");
    })
    .await
    .expect("the client ends");
}

/// The body of a document that the sandbox serves.
fn document(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n");
    let response = exchange(address, request.as_bytes());
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    body.to_owned()
}

#[tokio::test]
async fn the_url_is_the_issuer_and_its_keys_can_be_rotated() {
    let sandbox = Sandbox::builder().start().await.expect("a free port");
    let url = sandbox.url().to_owned();
    let address: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
    let read = |path| spawn_blocking(move || document(address, path));
    let discovery = read("/.well-known/openid-configuration").await.expect("a document");
    assert!(discovery.contains(&format!("\"issuer\":\"{url}\"")), "{discovery}");
    let old = read("/.well-known/jwks.json").await.expect("keys");
    assert_eq!(read("/.well-known/jwks.json").await.expect("keys"), old);
    sandbox.rotate_keys().await.expect("new keys");
    assert_ne!(read("/.well-known/jwks.json").await.expect("keys"), old);
    assert_eq!(sandbox.requests().len(), 4);
}
