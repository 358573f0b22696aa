//! The caller of a gate is an address from trusted proxies, not an API key.

use super::*;
use crate::helpers::{header, metric};
use crate::stub::{Stub, identity};

#[tokio::test]
async fn api_keys_are_not_asked_for() {
    let key = sts_verify::callers::api_keys::NewKey::generate(None).unwrap();
    let file = Policies::new(&format!("{}\n", key.line));
    let flag = format!("--api-keys-file={}", file.0.display());
    let (app, _) = gates_with_sandbox(ALL, &[&flag]).await;
    assert_eq!(app.verify_someone().await.status(), 401, "/verify asks for one");
    assert_eq!(said(ask(&app, "/auth/p", &eks(USER)).await).await, wanted(200, ""));
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_429_whatever_it_presents() {
    let stub = Stub::always(identity()).await;
    let app = gates_asking(&stub.url, ALL, &["--rate-limit=1/h", "--trusted-proxies=1"]).await;
    let from = async |address: &str, proof: Option<String>| {
        let request = request(&app, Method::GET, "/auth/p/x").header("x-forwarded-for", address);
        let request = match &proof {
            Some(proof) => request.header(PROOF, proof),
            None => request,
        };
        request.send().await.unwrap()
    };
    assert_eq!(said(from("198.51.100.7", Some(eks(USER))).await).await, wanted(200, ""));
    // Requests from one address count as one caller, with another proof or without one.
    for proof in [Some(eks(ROLE)), None] {
        let refused = from("203.0.113.9, 198.51.100.7", proof).await;
        let seconds: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&seconds), "{seconds}");
        assert_eq!(said(refused).await, wanted(429, "RateLimited"));
    }
    assert_eq!(said(from("198.51.100.8", Some(eks(ROLE))).await).await, wanted(200, ""));
    assert_eq!(stub.count(), 2);
    assert_eq!(metric(&app, "sts_verify_rate_limited_total").await, Some(2.0));
}
