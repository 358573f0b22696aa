//! The connections to STS: their reuse and number. tests/process/sts_connections.rs tests several hosts.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, expected, header, summary};
use crate::stub::{Reply, Stub, UNKNOWN_KEY, WRONG_SECRET, http, identity, sts_error};
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// An STS that remembers for each connection which keys it rejected, as AWS's STS does: a right secret after
/// a wrong one is rejected, too.
async fn resentful_sts() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut refused, mut request) = (HashSet::new(), Vec::new());
                while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                    if !request.ends_with(b"Version=2011-06-15") {
                        continue;
                    }
                    let text = String::from_utf8_lossy(&request).into_owned();
                    request.clear();
                    let key = text.split("Credential=").nth(1).unwrap().split('/').next().unwrap().to_owned();
                    // The token shows which secret signed the request.
                    let reply = if text.contains("a-wrong-secret") || refused.contains(&key) {
                        refused.insert(key);
                        sts_error(403, "SignatureDoesNotMatch", WRONG_SECRET)
                    } else {
                        identity()
                    };
                    let Reply::Bytes(bytes) = reply else { unreachable!() };
                    stream.write_all(&bytes).await.unwrap();
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_right_secret_after_a_wrong_one_is_valid() {
    let app = App::asking(&resentful_sts().await, &[]).await;
    let with =
        |token: &str| json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": token});
    for _ in 0..3 {
        assert_eq!(header(&app.verify(&with("the-right-one")).await, "x-sts-verdict"), Some("valid"));
        let wrong = app.verify(&with("a-wrong-secret")).await;
        assert_eq!(summary(wrong).await, expected(400, "invalid", "SignatureDoesNotMatch"));
        assert_eq!(header(&app.verify(&with("the-right-one")).await, "x-sts-verdict"), Some("valid"));
    }
}

#[tokio::test]
async fn the_next_call_after_a_rejection_uses_a_new_connection() {
    for refusal in [
        sts_error(403, "SignatureDoesNotMatch", WRONG_SECRET),
        sts_error(403, "InvalidClientTokenId", UNKNOWN_KEY),
        sts_error(403, "AccessDenied", "no"),
        sts_error(400, "IncompleteSignature", "no"),
        sts_error(418, "SomethingNew", "no"),
        http(403, &[], "<html>no</html>"),
    ] {
        let stub = Stub::start(move |n, _| if n == 1 { refusal.clone() } else { identity() }).await;
        let app = App::asking(&stub.url, &["--max-attempts=1"]).await;
        let mut connections = Vec::new();
        for _ in 0..4 {
            app.verify_someone().await;
            connections.push(stub.connections());
        }
        assert_eq!(connections, [1, 1, 2, 2], "the second answer is a refusal");
    }
}

#[tokio::test]
async fn a_connection_that_sts_closed_meanwhile_costs_no_attempt() {
    // Each connection is closed after its answer.
    let stub = Stub::start(|_, _| {
        let Reply::Bytes(bytes) = identity() else { unreachable!() };
        Reply::Last(bytes)
    })
    .await;
    let app = App::asking(&stub.url, &["--max-attempts=1"]).await;
    for n in 1..=20 {
        assert_eq!(app.verify_someone().await.status(), 200, "{n}");
        assert_eq!((stub.count(), stub.connections()), (n, n));
    }
}

#[tokio::test]
async fn abandoned_calls_leave_no_connection_open() {
    let hung = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let accepted = hung.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            accepted.lock().unwrap().push(stream);
        }
    });
    let flags =
        ["--max-attempts=1", "--attempt-timeout=200ms", "--connect-timeout=200ms", "--max-sts-connections=2"];
    let app = App::asking(&url, &flags).await;
    for _ in 0..5 {
        assert_eq!(app.verify_someone().await.status(), 504);
    }
    let streams = std::mem::take(&mut *hung.lock().unwrap());
    assert_eq!(streams.len(), 5);
    for mut stream in streams {
        let mut request = Vec::new();
        // It ends: the time limit of the test is the assertion.
        let _ = stream.read_to_end(&mut request).await;
        assert!(!request.is_empty());
    }
}
