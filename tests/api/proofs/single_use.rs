//! Single use: a proof is marked as used before STS is called, and released only if STS gave no verdict.

use super::{ROLE, Said, USER, app_asking, post, posted, said, signer, valid};
use crate::helpers::{App, header};
use crate::sharing::waiting;
use crate::stub::{Reply, Stub, UNKNOWN_KEY, WRONG_SECRET, http, identity, sts_error};
use serde_json::Value;
use tokio::sync::watch;

const ONCE: [&str; 2] = ["--single-use=true", "--max-attempts=1"];

fn replayed() -> Said {
    said(400, "ProofError", "ProofReplayed", "indeterminate")
}

fn proof() -> Value {
    posted(&signer(ROLE).url())
}

#[tokio::test]
async fn a_proof_is_marked_as_used_before_the_call_to_sts_and_calls_are_not_shared() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = app_asking(&stub.url, &ONCE).await;
    let proof = proof();
    let first = tokio::spawn(app.client.post(app.url("/verify")).json(&proof).send());
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    // Before STS has answered.
    assert_eq!(post(&app, &proof).await.0, replayed());
    open.send_replace(true);
    let answer = first.await.unwrap().unwrap();
    assert_eq!((header(&answer, "x-sts-verdict"), header(&answer, "cache-status")), (Some("valid"), None));
    assert_eq!(post(&app, &proof).await.0, replayed());
    assert_eq!(stub.count(), 1);
    assert_eq!(post(&app, &posted(&signer(USER).url())).await.0, valid(), "another proof");
}

#[tokio::test]
async fn the_same_signature_in_another_form_is_the_same_proof() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &ONCE).await;
    let url = signer(ROLE).url();
    assert_eq!(post(&app, &posted(&url)).await.0, valid());
    for again in [
        posted(&url.replace("com/?", "com?")),
        posted(&url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")),
        posted(&url.replace("%2F", "%2f")),
        serde_json::json!({"token": crate::proof_makers::eks_token(&url)}),
    ] {
        assert_eq!(post(&app, &again).await.0, replayed(), "{again}");
    }
    assert_eq!(stub.count(), 1);
}

/// A proof without a verdict at first, and the answer to its second use.
async fn after(reply: Reply) -> (Said, Said) {
    let stub = Stub::start(move |n, _| if n == 0 { reply.clone() } else { identity() }).await;
    let flags = ["--attempt-timeout=300ms", "--connect-timeout=300ms", "--deadline=300ms"];
    let app = app_asking(&stub.url, &[&ONCE[..], &flags].concat()).await;
    let proof = proof();
    (post(&app, &proof).await.0, post(&app, &proof).await.0)
}

#[tokio::test]
async fn a_proof_without_a_verdict_is_released() {
    for (what, reply) in [
        ("throttling", sts_error(400, "Throttling", "Rate exceeded")),
        ("a failure", sts_error(500, "InternalFailure", "an error")),
        ("an empty 503", http(503, &[], "")),
        ("a code that is not known", sts_error(403, "SomethingNew", "m")),
        ("a closed connection", Reply::Close),
        ("silence", Reply::Silence),
        ("a page", http(200, &[], "<html></html>")),
    ] {
        let (first, second) = after(reply).await;
        assert_eq!((first.3.as_deref(), second), (Some("indeterminate"), valid()), "{what}");
    }
}

#[tokio::test]
async fn a_definite_answer_uses_a_proof_up() {
    for (code, message) in [
        ("InvalidClientTokenId", UNKNOWN_KEY),
        ("SignatureDoesNotMatch", WRONG_SECRET),
        ("ExpiredToken", crate::stub::EXPIRED),
    ] {
        let (first, second) = after(sts_error(403, code, message)).await;
        assert_eq!((first, second), (said(400, "ClientError", code, "invalid"), replayed()), "{code}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_release_its_proof() {
    let stub = Stub::start(|n, _| if n == 0 { Reply::Silence } else { identity() }).await;
    let app = app_asking(&stub.url, &["--single-use=true", "--deadline=1h", "--attempt-timeout=1h"]).await;
    let proof = proof();
    let first = tokio::spawn(app.client.post(app.url("/verify")).json(&proof).send());
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    waiting(&app, 0.0).await;
    assert_eq!(post(&app, &proof).await.0, replayed());
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn a_proof_that_is_refused_by_a_limit_is_released() {
    let (open, may) = watch::channel(false);
    let stub = Stub::always(Reply::Held(may, Box::new(identity()))).await;
    let app = app_asking(&stub.url, &["--single-use=true", "--max-in-flight=1"]).await;
    let first = tokio::spawn(app.client.post(app.url("/verify")).json(&proof()).send());
    while stub.count() == 0 {
        tokio::task::yield_now().await;
    }
    let other = posted(&signer(USER).url());
    let overloaded = post(&app, &other).await.0;
    assert_eq!((overloaded.0, overloaded.2.as_str()), (503, "Overloaded"));
    open.send_replace(true);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(post(&app, &other).await.0, valid());
}

#[tokio::test]
async fn a_proof_that_is_refused_without_a_call_does_not_count_as_used() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &[&ONCE[..], &["--allowed-regions=us-east-1"]].concat()).await;
    let url = signer(ROLE).url();
    for refused in
        [url.replace("Action=GetCallerIdentity", "Action=AssumeRole"), url.replace("com/?", "com/x?")]
    {
        assert_eq!(post(&app, &posted(&refused)).await.0.2, "RequestNotAllowed");
    }
    assert_eq!(post(&app, &posted(&url)).await.0, valid());
}

#[tokio::test]
async fn with_an_unreachable_store_no_proof_is_accepted_and_sts_is_not_called() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let redis = format!("--redis-url=redis://{}", free.local_addr().unwrap());
    drop(free);
    let stub = Stub::always(identity()).await;
    let unavailable = said(503, "ServiceError", "ReplayStoreUnavailable", "indeterminate");
    let app: App = app_asking(&stub.url, &["--single-use=true", &redis]).await;
    for body in [proof(), signer(USER).login()] {
        assert_eq!(super::say(&app, &body).await, unavailable);
    }
    assert_eq!(stub.count(), 0);
}
