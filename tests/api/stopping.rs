//! A shutdown loses no request. (tests/process tests signals with the real process.)

use crate::helpers::{App, someone};
use crate::stub::{Reply, Stub, identity};
use std::sync::Mutex;
use sts_verify::server::Stop;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_answered_and_then_the_server_ends() {
    let (arrived, asked) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (arrived, released) = (Mutex::new(Some(arrived)), Mutex::new(released));
    let stub = Stub::start(move |_, _| {
        arrived.lock().unwrap().take().unwrap().send(()).unwrap();
        tokio::task::block_in_place(|| released.lock().unwrap().recv().unwrap());
        identity()
    })
    .await;
    let mut app = App::asking(&stub.url, &[]).await;
    let call = tokio::spawn(app.client.post(app.url("/verify")).json(&someone()).send());
    asked.await.unwrap();
    app.stop.take().unwrap().send(Stop::Interrupt).unwrap();
    // The listener is closed when a new connection is refused.
    while TcpStream::connect(app.address).await.is_ok() {}
    assert!(!call.is_finished());
    release.send(()).unwrap();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    app.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn after_sigterm_readiness_fails_while_everything_is_still_served() {
    let stub = Stub::always(identity()).await;
    let mut app = App::asking(&stub.url, &["--stop-delay=1h"]).await;
    app.stop.take().unwrap().send(Stop::Terminate).unwrap();
    while app.get("/readyz").await.status() != 503 {}
    assert_eq!(app.get("/health").await.status(), 503);
    assert_eq!(app.get("/livez").await.status(), 200);
    assert_eq!(app.verify_someone().await.status(), 200);
    app.served.abort();
}

#[tokio::test]
async fn a_client_that_sent_half_a_request_does_not_delay_the_shutdown() {
    let stub = Stub::always(Reply::Silence).await;
    let mut app = App::asking(&stub.url, &["--drain-timeout=200ms"]).await;
    let mut half = TcpStream::connect(app.address).await.unwrap();
    half.write_all(b"POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n").await.unwrap();
    let hanging = tokio::spawn(app.client.post(app.url("/verify")).json(&someone()).send());
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    app.stop.take().unwrap().send(Stop::Interrupt).unwrap();
    app.served.await.unwrap().unwrap();
    assert!(hanging.await.unwrap().is_err());
}
