//! Clients that do not read their answers, or slowly.

use crate::helpers::{App, metric};
use crate::raw::Client;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;

/// The largest thing that is served.
const LARGE: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";

async fn timed_out(app: &App) -> f64 {
    metric(app, "http_server_timed_out_connections_total{waited_for=\"reading\"}").await.unwrap()
}

#[tokio::test]
async fn answers_that_nobody_reads_are_given_up_pipelined_or_not() {
    let app = App::with_sandbox(&["--write-timeout=300ms", "--keep-alive=1h"]).await;
    let mut clients = Vec::new();
    for count in [1, 5] {
        for _ in 0..5 {
            clients.push(Client::send(app.address, LARGE.repeat(count)).await);
        }
    }
    while timed_out(&app).await < 10.0 {}
    for client in &mut clients {
        // It ends, and with a reset: nothing is left that the system would have to hold for it.
        let answer = client.rest().await;
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(answer.len() < 1_000_000, "it was cut off: {}", answer.len());
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_served() {
    let app = App::with_sandbox(&["--write-timeout=300ms"]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(app.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, LARGE.as_bytes()).await.unwrap();
    let mut piece = [0; 4096];
    // Three times as long as a client may take nothing.
    for _ in 0..36 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        assert_ne!(stream.read(&mut piece).await.unwrap(), 0);
    }
    assert_eq!(timed_out(&app).await, 0.0);
}
