//! The limits of plain connections also apply to connections over TLS.

use crate::program::metric_at;
use crate::tls::{Guarded, question, rest};
use crate::wire::Gate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A service over TLS, with its metrics over plain HTTP.
async fn start(name: &str, variables: &[(&str, &str)]) -> (Guarded, String) {
    let usual = [("STS_VERIFY_METRICS_LISTEN", "127.0.0.1:0")];
    let guarded = Guarded::start(name, &[&usual, variables].concat()).await;
    let line = guarded.service.program.message("metrics listening").await;
    let figures = format!("http://{}/metrics", line["address"].as_str().unwrap());
    (guarded, figures)
}

async fn client_of(guarded: &Guarded, text: &str) -> TlsStream<TcpStream> {
    let mut stream = guarded.connect().await;
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn unread_answers_time_out() {
    let (guarded, figures) = start("tls-unread", &[("STS_VERIFY_WRITE_TIMEOUT", "500ms")]).await;
    let large = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut clients = Vec::new();
    for count in [1, 5] {
        clients.push(client_of(&guarded, &large.repeat(count)).await);
    }
    let series = "http_server_timed_out_connections_total{waited_for=\"reading\"}";
    while metric_at(&figures, series).await != Some(2.0) {}
    for mut stream in clients {
        assert!(rest(&mut stream).await.len() < 1_000_000);
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_counted() {
    let (guarded, figures) = start("tls-half", &[("STS_VERIFY_READ_TIMEOUT", "300ms")]).await;
    let mut stream = TcpStream::connect(guarded.service.address).await.unwrap();
    rest(&mut stream).await;
    let series = "http_server_timed_out_connections_total{waited_for=\"handshake\"}";
    assert_eq!(metric_at(&figures, series).await, Some(1.0));
}

#[tokio::test]
async fn a_refused_head_gets_an_answer() {
    let (guarded, _) = start("tls-heads", &[]).await;
    for (text, status, code) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "MalformedRequest"),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(40_000)),
            431,
            "RequestHeaderFieldsTooLarge",
        ),
        ("GET /livez HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n".to_owned(), 400, "InvalidHost"),
    ] {
        let answer = rest(&mut client_of(&guarded, &text).await).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(&format!("\"error_code\":\"{code}\"")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_is_answered_and_one_that_leaves_releases_its_permit() {
    let gate = Gate::start().await;
    let variables = [
        ("AWS_ENDPOINT_URL_STS", gate.url.as_str()),
        ("STS_VERIFY_ATTEMPT_TIMEOUT", "1h"),
        ("STS_VERIFY_DEADLINE", "1h"),
    ];
    let (guarded, _) = start("tls-departures", &variables).await;
    let left = |line: &str| line.contains("\"status\":499");
    let mut asked = 0;
    for behind in ["", "x"] {
        for reset in [false, true] {
            let mut stream = client_of(&guarded, &question()).await;
            asked += 1;
            gate.was_asked(asked).await;
            stream.write_all(behind.as_bytes()).await.unwrap();
            if reset {
                stream.get_ref().0.set_zero_linger().unwrap();
            }
            drop(stream);
            guarded.service.program.lines(asked, left).await;
        }
    }
    let mut stream = client_of(&guarded, &question()).await;
    gate.was_asked(asked + 1).await;
    stream.shutdown().await.unwrap();
    // The service has seen the client's FIN when it begins to answer.
    let mut start = [0; 7];
    stream.read_exact(&mut start).await.unwrap();
    gate.open();
    let answer = rest(&mut stream).await;
    assert!(start == *b"HTTP/1." && answer.starts_with("1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\"RetryAttempts\":0}}}"), "{answer}");
}
