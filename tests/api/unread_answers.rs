//! Clients that do not read their answers, or slowly.

use crate::helpers::{App, metric};
use crate::raw::Client;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// The request with the largest response.
const LARGE: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";

async fn timed_out(app: &App) -> f64 {
    metric(app, "http_server_timed_out_connections_total{waited_for=\"reading\"}").await.unwrap()
}

/// A client with a very small receive buffer.
async fn narrow(app: &App, text: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(app.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn unread_answers_time_out_pipelined_or_not() {
    let app = App::with_sandbox(&["--write-timeout=300ms", "--keep-alive=1h"]).await;
    let mut clients = Vec::new();
    for count in [1, 5] {
        for _ in 0..5 {
            clients.push(Client::send(app.address, LARGE.repeat(count)).await);
        }
    }
    while timed_out(&app).await < 10.0 {}
    for client in &mut clients {
        // The connection ends with a reset, so the kernel does not have to buffer anything for it.
        let answer = client.rest().await;
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(answer.len() < 1_000_000, "it was cut off: {}", answer.len());
    }
}

/// The client reads nothing and sends further bytes one by one: those of a next request, or of an unwanted body.
#[tokio::test]
async fn a_client_that_goes_on_sending_what_nobody_wants_is_given_up_all_the_same() {
    let app = App::with_sandbox(&["--write-timeout=300ms", "--read-timeout=1h", "--keep-alive=1h"]).await;
    let with_body = LARGE.replace("\r\n\r\n", "\r\nContent-Length: 60000\r\n\r\n");
    for (number, (text, more)) in
        [(LARGE.to_owned(), LARGE.repeat(1000)), (with_body, "x".repeat(60_000))].into_iter().enumerate()
    {
        let mut stream = narrow(&app, &text).await;
        let before = timed_out(&app).await;
        let mut pieces = more.as_bytes().chunks(1).take(400);
        while timed_out(&app).await < before + 0.5 {
            let piece = pieces.next().unwrap_or_else(|| panic!("{number}: it holds its connection for ever"));
            // This fails once the service has closed the connection.
            let _ = stream.write_all(piece).await;
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_its_answers_after_it_has_sent_the_last_line_of_a_batch_gets_them_all() {
    let app = App::with_sandbox(&["--write-timeout=300ms"]).await;
    let (line, lines) = ("not json\n", 980);
    let head = format!(
        "POST /verify/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\n\r\n",
        lines * line.len()
    );
    // The answers to these are more than the system takes.
    let mut stream = narrow(&app, &format!("{head}{}", line.repeat(500))).await;
    // Three times as long as a client may take nothing.
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        stream.write_all(line.repeat(12).as_bytes()).await.unwrap();
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("\"MalformedJson\"").count(), lines);
    assert!(timed_out(&app).await < 0.5);
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_served() {
    let app = App::with_sandbox(&["--write-timeout=300ms"]).await;
    let mut stream = narrow(&app, LARGE).await;
    let mut piece = [0; 4096];
    // Three times as long as a client may read nothing.
    for _ in 0..36 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        assert_ne!(stream.read(&mut piece).await.unwrap(), 0);
    }
    assert!(timed_out(&app).await < 1.0);
}

#[tokio::test]
async fn kernel_buffers_of_a_closed_connection_are_discarded_after_the_same_time() {
    let app = App::with_sandbox(&["--write-timeout=300ms", "--keep-alive=300ms"]).await;
    for close in ["", "Connection: close\r\n"] {
        // About 30 KiB, or 10 KiB: less than the kernel accepts at once, and more than this client's kernel
        // does.
        let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{close}\r\n");
        let stream = narrow(&app, &request.repeat(3)).await;
        // The kernel would try to send the rest for minutes.
        let ends = (app.address, stream.local_addr().unwrap());
        let is_there = || {
            let mut all = procfs::net::tcp().unwrap().into_iter();
            all.any(|socket| (socket.local_address, socket.remote_address) == ends)
        };
        assert!(is_there());
        while is_there() {
            tokio::task::yield_now().await;
        }
    }
    assert!(timed_out(&app).await < 1.0);
}
