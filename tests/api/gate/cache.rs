//! What a gate caches: the identities of valid signed requests, and errors of a proof itself.

use super::*;
use crate::helpers::metric;
use crate::stub::{Stub, UNKNOWN_KEY, identity, sts_error};
use std::time::Duration;
use tokio::time::timeout;

const CACHED: &str = "sts_verify_shared_total{source=\"cache\"}";

#[tokio::test]
async fn sts_is_asked_once_for_a_proof_at_all_gates() {
    let stub = Stub::always(identity()).await;
    let other = "[policy.q]\naccounts = [\"210987654321\"]\n";
    let app = gates_asking(&stub.url, &format!("{ALL}{other}"), &[]).await;
    let proof = eks(USER);
    let first = ask(&app, "/auth/p", &proof).await;
    let again = ask(&app, "/auth/p/elsewhere", &proof).await;
    assert_eq!(values(&first), values(&again));
    assert_eq!(stub.count(), 1);
    assert_eq!(metric(&app, CACHED).await, Some(1.0));
    // The identity is cached, not the decision.
    assert_eq!(said(ask(&app, "/auth/q", &proof).await).await, wanted(403, "Forbidden"));
    assert_eq!(stub.count(), 1);
    assert_eq!(said(ask(&app, "/auth/p", &eks(ROLE)).await).await, wanted(200, ""));
    assert_eq!(stub.count(), 2, "another proof");
}

#[tokio::test]
async fn a_proof_that_differs_in_one_byte_is_another() {
    let (app, _) = gates_with_sandbox(ALL, &[]).await;
    let url = signer(USER).url();
    assert_eq!(said(ask(&app, "/auth/p", &url).await).await, wanted(200, ""));
    let (start, last) = url.split_at(url.len() - 1);
    let changed = format!("{start}{}", if last == "0" { "1" } else { "0" });
    assert_eq!(said(ask(&app, "/auth/p", &changed).await).await, wanted(401, "SignatureDoesNotMatch"));
    assert_eq!(said(ask(&app, "/auth/p", &url).await).await, wanted(200, ""));
}

#[tokio::test]
async fn nothing_is_cached_beyond_the_expiry_of_the_proof() {
    let stub = Stub::always(identity()).await;
    let app = gates_asking(&stub.url, ALL, &["--max-proof-age=2s", "--gate-cache=5m"]).await;
    let proof = eks(USER);
    let answers = async {
        loop {
            let answer = said(ask(&app, "/auth/p", &proof).await).await;
            if answer.0 != 200 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Waits no longer than this for an entry that would be cached for five minutes.
    let end = timeout(Duration::from_mins(1), answers).await.expect("it ends with the proof");
    assert_eq!(end, wanted(401, "ProofExpired"));
}

#[tokio::test]
async fn nothing_is_cached_with_single_use_or_with_the_cache_disabled() {
    let once = format!("{ALL}single_use = true\n");
    for (policies, flags, second) in
        [(once.as_str(), &[][..], wanted(401, "ProofReplayed")), (ALL, &["--gate-cache=0s"], wanted(200, ""))]
    {
        let stub = Stub::always(identity()).await;
        let app = gates_asking(&stub.url, policies, flags).await;
        let proof = eks(USER);
        assert_eq!(said(ask(&app, "/auth/p", &proof).await).await, wanted(200, ""));
        assert_eq!(said(ask(&app, "/auth/p", &proof).await).await, second);
        assert_eq!(stub.count(), if second.0 == 200 { 2 } else { 1 });
        assert_eq!(metric(&app, CACHED).await, Some(0.0));
    }
}

#[tokio::test]
async fn a_gate_with_single_use_does_not_use_the_cache_of_another_gate() {
    let stub = Stub::always(identity()).await;
    let once = "[policy.once]\naccounts = [\"123456789012\"]\nsingle_use = true\n";
    let app = gates_asking(&stub.url, &format!("{ALL}{once}"), &[]).await;
    let proof = eks(USER);
    for (path, expected) in [
        ("/auth/p", wanted(200, "")),
        ("/auth/once", wanted(200, "")),
        ("/auth/once", wanted(401, "ProofReplayed")),
        ("/auth/p", wanted(200, "")),
    ] {
        assert_eq!(said(ask(&app, path, &proof).await).await, expected, "{path}");
    }
    assert_eq!(stub.count(), 2);
}

#[tokio::test]
async fn a_valid_proof_that_a_policy_refuses_counts_as_used() {
    let once = "[policy.once]\naccounts = [\"210987654321\"]\nsingle_use = true\n";
    let (app, _) = gates_with_sandbox(once, &[]).await;
    let proof = eks(USER);
    assert_eq!(said(ask(&app, "/auth/once", &proof).await).await, wanted(403, "Forbidden"));
    assert_eq!(said(ask(&app, "/auth/once", &proof).await).await, wanted(401, "ProofReplayed"));
}

#[tokio::test]
async fn rejections_and_failures_of_sts_are_not_cached() {
    let refusal = sts_error(403, "InvalidClientTokenId", UNKNOWN_KEY);
    let failure = sts_error(403, "AccessDenied", "no");
    let stub = Stub::replies(vec![refusal, failure, identity()]).await;
    let app = gates_asking(&stub.url, ALL, &[]).await;
    let proof = eks(USER);
    for (status, code) in [(401, "InvalidClientTokenId"), (503, "AccessDenied"), (200, ""), (200, "")] {
        assert_eq!(said(ask(&app, "/auth/p", &proof).await).await, wanted(status, code));
    }
    assert_eq!(stub.count(), 3);
}

#[tokio::test]
async fn an_error_of_the_proof_itself_is_cached_unless_it_depends_on_time() {
    let stub = Stub::always(identity()).await;
    let app = gates_asking(&stub.url, ALL, &[]).await;
    for (proof, code, kept) in [
        (signer(USER).with_headers(&[]).eks_token(), "AudienceMismatch", 1.0),
        (signer(USER).signed(-1000).eks_token(), "ProofExpired", 1.0),
        (signer(USER).signed(600).eks_token(), "ProofNotYetValid", 0.0),
    ] {
        let before = metric(&app, CACHED).await.unwrap();
        for _ in 0..2 {
            assert_eq!(said(ask(&app, "/auth/p", &proof).await).await, wanted(401, code));
        }
        assert_eq!(metric(&app, CACHED).await, Some(before + kept), "{code}");
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn the_cache_of_gates_is_not_used_at_verify() {
    let stub = Stub::always(identity()).await;
    let app = gates_asking(&stub.url, ALL, &[]).await;
    let url = signer(USER).url();
    assert_eq!(said(ask(&app, "/auth/p", &url).await).await, wanted(200, ""));
    let posted = serde_json::json!({"presigned_url": url});
    assert_eq!(app.verify(&posted).await.status(), 200);
    assert_eq!(stub.count(), 2);
}
