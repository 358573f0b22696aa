//! The limits of open connections, and of the memory of each.

use crate::helpers::App;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// The additional connections for clients on this machine, which all clients of a test are.
const OWN: usize = 4;

/// Sends a request over a kept connection, and returns the complete answer.
async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{text}");
    }
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.address).await.unwrap()
}

#[tokio::test]
async fn a_connection_above_the_limit_gets_an_answer_and_open_ones_continue() {
    let app = App::with_sandbox(&["--max-connections=3"]).await;
    let mut open = Vec::new();
    for _ in 0..3 + OWN {
        let mut stream = connect(&app).await;
        assert!(ask(&mut stream, "/livez").await.starts_with("http/1.1 200 "));
        open.push(stream);
    }
    let mut answer = String::new();
    connect(&app).await.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: 1\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}");
    let body: Value = serde_json::from_str(body).unwrap();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["exception", "error_code", "error_message"]);
    assert_eq!(body["error_code"], "Overloaded");
    for stream in &mut open {
        assert!(ask(stream, "/readyz").await.starts_with("http/1.1 200 "));
    }
    let figures = ask(&mut open[0], "/metrics").await;
    assert!(figures.contains("\nhttp_server_active_connections 7\n"), "{figures}");
    assert!(figures.contains("\nhttp_server_refused_connections_total 1\n"), "{figures}");
    // A connection that ends makes room for another one.
    open.pop();
    while ask(&mut open[0], "/metrics").await.contains("\nhttp_server_active_connections 7\n") {}
    assert!(ask(&mut connect(&app).await, "/livez").await.starts_with("http/1.1 200 "));
}

/// A connection from an address of this machine.
async fn connect_from(app: &App, source: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(app.address).await.unwrap()
}

#[tokio::test]
async fn one_address_cannot_use_all_connections() {
    let app = App::with_sandbox(&["--max-connections-per-address=2"]).await;
    let mut open = Vec::new();
    for _ in 0..2 + OWN {
        open.push(connect_from(&app, [127, 0, 0, 2]).await);
        assert!(ask(open.last_mut().unwrap(), "/livez").await.starts_with("http/1.1 200 "));
    }
    let mut answer = String::new();
    connect_from(&app, [127, 0, 0, 2]).await.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("Retry-After: 1\r\n"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["exception"], &body["error_code"]), (&"ServiceError".into(), &"RateLimited".into()));
    let mut other = connect_from(&app, [127, 0, 0, 3]).await;
    let figures = ask(&mut other, "/metrics").await;
    assert!(figures.contains("\nhttp_server_limited_connections_total 1\n"), "{figures}");
    assert!(figures.contains("\nhttp_server_refused_connections_total 1\n"), "{figures}");
    // A connection that ends makes room for another one.
    open.remove(0);
    while ask(&mut other, "/metrics").await.contains("\nhttp_server_active_connections 7\n") {}
    assert!(ask(&mut connect_from(&app, [127, 0, 0, 2]).await, "/livez").await.starts_with("http/1.1 200 "));
}

#[tokio::test]
async fn behind_trusted_proxies_all_clients_have_their_addresses() {
    let app = App::with_sandbox(&["--max-connections-per-address=2", "--trusted-proxies=1"]).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(connect_from(&app, [127, 0, 0, 2]).await);
        assert!(ask(open.last_mut().unwrap(), "/livez").await.starts_with("http/1.1 200 "));
    }
}

#[tokio::test]
async fn a_head_above_the_limit_is_refused() {
    let app = App::with_sandbox(&[]).await;
    for (length, status) in [(16 * 1024, "200"), (64 * 1024, "431")] {
        let mut stream = connect(&app).await;
        let filler = "x".repeat(length);
        let request = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX-Filler: {filler}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&start), format!("HTTP/1.1 {status}"), "{length}");
    }
}
