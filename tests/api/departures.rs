//! Clients that leave, and clients that only close their sending side and wait.

use crate::helpers::{App, metric, someone};
use crate::raw::{Client, post};
use crate::stub::{Reply, Stub, identity, sts_error};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;

fn question() -> String {
    let body = someone().to_string();
    post(&format!("Content-Length: {}\r\n", body.len()), &body)
}

/// A service with one permit for requests in flight, and an STS that never answers.
async fn of_one_place() -> (App, Stub) {
    let stub = Stub::always(Reply::Silence).await;
    let times = ["--attempt-timeout=1h", "--deadline=1h"];
    let app = App::asking(&stub.url, &[&["--max-in-flight=1"], &times[..]].concat()).await;
    (app, stub)
}

/// A client whose call to STS is in progress.
async fn waiting(app: &App, stub: &Stub, behind: &str) -> Client {
    let asked = stub.count();
    let client = Client::send(app.address, question()).await;
    while stub.count() == asked {
        tokio::task::yield_now().await;
    }
    // As much as is taken.
    let mut rest = behind.as_bytes();
    while let Ok(count) = client.stream.try_write(rest)
        && count > 0
    {
        rest = &rest[count..];
    }
    client
}

/// Bytes that may follow a request in progress. The last are more than the kernels of both ends buffer.
fn further_bytes() -> [String; 5] {
    let livez = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    [String::new(), "x".to_owned(), question(), livez.repeat(1_000), livez.repeat(500_000)]
}

async fn left(app: &App) -> Option<f64> {
    metric(
        app,
        "http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/verify\",\
         http_response_status_code=\"499\"}",
    )
    .await
}

#[tokio::test]
async fn a_reset_releases_the_permit_at_once_whatever_else_was_sent() {
    let (app, stub) = of_one_place().await;
    let mut count = 0.0;
    for behind in further_bytes() {
        count += 1.0;
        let client = waiting(&app, &stub, &behind).await;
        assert_eq!(app.verify_someone().await.status(), 503);
        client.reset();
        while left(&app).await.unwrap_or_default() < count {}
    }
    let free = waiting(&app, &stub, "").await;
    free.reset();
}

#[tokio::test]
async fn a_client_that_closes_releases_its_permit_at_once_whatever_else_was_sent() {
    let (app, stub) = of_one_place().await;
    let mut count = 0.0;
    for behind in further_bytes() {
        count += 1.0;
        drop(waiting(&app, &stub, &behind).await);
        while left(&app).await.unwrap_or_default() < count {}
    }
    waiting(&app, &stub, "").await.reset();
}

#[tokio::test]
async fn a_client_that_ends_its_side_gets_its_answer() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = App::asking(&stub.url, &[]).await;
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        open.send_replace(false);
        let mut client = Client::send(app.address, question().replace("HTTP/1.1", version)).await;
        client.stream.shutdown().await.unwrap();
        open.send_replace(true);
        let answer = String::from_utf8(client.rest().await).unwrap();
        assert!(answer.starts_with(&format!("{version} 200 OK\r\n")), "{answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
        assert!(answer.ends_with("\"RetryAttempts\":0}}}"), "{answer}");
    }
    let mut client = Client::connect(app.address).await;
    let body = someone().to_string();
    let expects = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
    client.write(post(&expects, "")).await;
    assert_eq!(client.answer().await.status, 100);
    client.write(&body).await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.answer().await.status, 200);
    // Complete requests that were sent before are answered; an incomplete request is not.
    for (text, statuses) in [
        ("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3), &["200"; 3] as &[_]),
        (post("Content-Length: 9\r\n", "{"), &["400"]),
        ("GET /li".to_owned(), &[]),
        (String::new(), &[]),
    ] {
        let mut client = Client::send(app.address, &text).await;
        client.stream.shutdown().await.unwrap();
        let answers = String::from_utf8(client.rest().await).unwrap();
        let found: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(found, statuses, "{text}");
    }
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_gets_no_further_attempt() {
    let (open, may) = watch::channel(false);
    let failure = sts_error(500, "InternalFailure", "no");
    let stub = Stub::start(move |n, _| match n {
        0 => Reply::Held(may.clone(), Box::new(failure.clone())),
        _ => failure.clone(),
    })
    .await;
    let app = App::asking(&stub.url, &["--max-attempts=5"]).await;
    let mut client = waiting(&app, &stub, "").await;
    client.stream.shutdown().await.unwrap();
    // By now the service has seen the FIN.
    let mut start = [0; 7];
    tokio::io::AsyncReadExt::read_exact(&mut client.stream, &mut start).await.unwrap();
    open.send_replace(true);
    let answer = [start.to_vec(), client.rest().await].concat();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\"error_code\":\"InternalFailure\""), "{answer}");
    assert_eq!(stub.count(), 1);
    // A client that stays gets all attempts.
    assert_eq!(app.verify_someone().await.status(), 400);
    assert_eq!(stub.count(), 6);
}
