//! /metrics on a separate listener, and only there; of the other routes, only the health routes are there,
//! too.

use crate::helpers::{expected, header, summary, value_in};
use crate::program::{Service, address_of};
use crate::stub::{Stub, identity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn with_a_separate_listener_metrics_are_only_there() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[("STS_VERIFY_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let line = service.program.line(|line| address_of(line, "metrics listening").is_some()).await;
    let figures = format!("http://{}", address_of(&line, "metrics listening").unwrap());
    assert_eq!(service.verify_someone().await.status(), 200);
    assert_eq!(service.get("/metrics").await.status(), 404);

    let answer = service.client.get(format!("{figures}/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text().await.unwrap();
    assert!(text.contains("\nsts_verify_total{verdict=\"valid\",proof=\"credentials\"} 1\n"), "{text}");

    for path in ["/verify", "/docs/", "/openapi.json"] {
        let answer = service.client.get(format!("{figures}{path}")).send().await.unwrap();
        assert_eq!(summary(answer).await, expected(404, "", "NotFound"), "{path}");
    }
    let answer = service.client.post(format!("{figures}/metrics")).send().await.unwrap();
    assert_eq!(summary(answer).await, expected(405, "", "MethodNotAllowed"));
}

#[tokio::test]
async fn a_client_that_does_not_read_blocks_probes_only_for_a_while() {
    let variables = [("STS_VERIFY_METRICS_LISTEN", "127.0.0.1:0"), ("STS_VERIFY_WRITE_TIMEOUT", "500ms")];
    let service = Service::asking(&Stub::always(identity()).await.url, &variables).await;
    let line = service.program.line(|line| address_of(line, "metrics listening").is_some()).await;
    let address = address_of(&line, "metrics listening").unwrap();
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    // No permit is left for a probe that is refused.
    let probe = async |path: &str| {
        let answer = client.get(format!("http://{address}{path}")).send().await.ok()?;
        (answer.status() == 200).then_some(answer.text().await.ok()?)
    };
    let open = async || value_in(&probe("/metrics").await?, "process_open_fds");
    let before = open().await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..68 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200).as_bytes()).await.unwrap();
        clients.push(stream);
    }
    while probe("/livez").await.is_none() {}
    // Until all of them are closed.
    while open().await.is_none_or(|now| now > before) {}
    for mut stream in clients {
        let mut answers = Vec::new();
        while stream.read_buf(&mut answers).await.is_ok_and(|count| count > 0) {}
        let count = answers.windows(15).filter(|window| window == b"HTTP/1.1 200 OK").count();
        assert!(count < 200, "{count}");
    }
}

#[tokio::test]
async fn a_bad_head_gets_the_same_answer_as_on_the_public_listener() {
    let service =
        Service::asking(&Stub::always(identity()).await.url, &[("STS_VERIFY_METRICS_LISTEN", "127.0.0.1:0")])
            .await;
    let line = service.program.line(|line| address_of(line, "metrics listening").is_some()).await;
    let address = address_of(&line, "metrics listening").unwrap();
    for (head, status, code) in [
        ("nonsense\r\n\r\n", 400, "MalformedRequest"),
        ("GET /livez HTTP/1.1\r\n\r\n", 400, "InvalidHost"),
        ("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404, "NotFound"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(&format!("\"error_code\":\"{code}\"")), "{answer}");
    }
}
