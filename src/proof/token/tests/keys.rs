use super::super::issuers::Issuers;
use super::*;
use crate::sts::StsFailure;

#[tokio::test]
async fn a_forged_signature_is_rejected_after_the_keys_were_read_again_once() {
    let (signer, other) = (Signer::ec(), Signer::ec());
    let issuer = TestIssuer::start(&[signer.jwk("k1"), Signer::Rsa.jwk("k1")]).await;
    let verifier = verifier(&issuer);
    let forged = other.token_with(&issuer.claims());
    for _ in 0..5 {
        let error = issuer.verify(&verifier, &forged).await.err();
        assert_eq!(error, Some(ProofError::SignatureMismatch.into()));
    }
    assert_eq!(issuer.key_requests(), 1, "keys that were just read count as read again");
    // Two keys with the same ID: each is tried.
    issuer.verify(&verifier, &signer.token_with(&issuer.claims())).await.unwrap();
    issuer.verify(&verifier, &Signer::Rsa.token_with(&issuer.claims())).await.unwrap();
    // A key of the other algorithm is not used.
    let swapped = signer.token(r#"{"alg":"RS256","kid":"k1"}"#, &issuer.claims().to_string());
    assert_eq!(issuer.verify(&verifier, &swapped).await.err(), Some(ProofError::SignatureMismatch.into()));
}

/// The clock for the age of keys. The tests of this module advance it.
fn verifier_with_clock(issuer: &TestIssuer, clock: fn() -> Instant) -> TokenVerifier {
    let TokenVerifier { settings, .. } = verifier(issuer);
    let issuers = Issuers::with_clock(transport(), settings.timeout, clock);
    TokenVerifier { settings, issuers }
}

/// A clock of its own for a test: seconds ahead of the real one.
macro_rules! test_clock {
    ($name:ident) => {
        static $name: AtomicUsize = AtomicUsize::new(0);
    };
}

#[tokio::test]
async fn rotated_keys_are_found_and_old_keys_are_used_while_the_issuer_is_unreachable() {
    test_clock!(AHEAD);
    let clock = || Instant::now() + Duration::from_secs(AHEAD.load(Ordering::SeqCst) as u64);
    let (old, new) = (Signer::ec(), Signer::ec());
    let issuer = TestIssuer::start(&[old.jwk("k1")]).await;
    let verifier = verifier_with_clock(&issuer, clock);
    let (by_old, by_new) = (old.token_with(&issuer.claims()), new.token_with(&issuer.claims()));
    issuer.verify(&verifier, &by_old).await.unwrap();
    issuer.set_keys(Some(&[new.jwk("k1")]));
    assert!(issuer.verify(&verifier, &by_new).await.is_err(), "read less than 10 s ago");
    AHEAD.fetch_add(11, Ordering::SeqCst);
    issuer.verify(&verifier, &by_new).await.unwrap();
    assert_eq!(issuer.key_requests(), 2);
    // Unreachable: the known keys are used, and the issuer gets at most one request in 10 s.
    issuer.set_keys(None);
    AHEAD.fetch_add(601, Ordering::SeqCst);
    for _ in 0..3 {
        issuer.verify(&verifier, &by_new).await.unwrap();
    }
    assert_eq!(issuer.key_requests(), 3);
    // A signature that they do not match may be from a newer key, which cannot be read.
    let failure = issuer.verify(&verifier, &by_old).await.err();
    assert!(matches!(failure, Some(ProofFailure::KeysUnavailable(_))), "{failure:?}");
    AHEAD.fetch_add(24 * 3600, Ordering::SeqCst);
    let failure = issuer.verify(&verifier, &by_new).await.err();
    assert!(matches!(failure, Some(ProofFailure::KeysUnavailable(_))), "for a day at most: {failure:?}");
}

#[tokio::test]
async fn an_issuer_whose_keys_were_never_read_gets_another_request_after_a_minute() {
    test_clock!(AHEAD);
    let clock = || Instant::now() + Duration::from_secs(AHEAD.load(Ordering::SeqCst) as u64);
    let signer = Signer::ec();
    let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
    let verifier = verifier_with_clock(&issuer, clock);
    let token = signer.token_with(&issuer.claims());
    issuer.set_keys(None);
    for _ in 0..3 {
        let failure = issuer.verify(&verifier, &token).await.err();
        assert!(
            matches!(failure, Some(ProofFailure::KeysUnavailable(StsFailure::NotSts { status: 503, .. }))),
            "{failure:?}"
        );
    }
    assert_eq!(issuer.key_requests(), 1);
    issuer.set_keys(Some(&[signer.jwk("k1")]));
    AHEAD.fetch_add(61, Ordering::SeqCst);
    issuer.verify(&verifier, &token).await.unwrap();
}

#[tokio::test]
async fn verifications_at_the_same_time_wait_for_one_reading() {
    let signer = Signer::ec();
    let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
    let verifier = verifier(&issuer);
    let token = signer.token_with(&issuer.claims());
    let all = futures_util::future::join_all((0..50).map(|_| issuer.verify(&verifier, &token))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.key_requests(), 1);
}

#[tokio::test]
async fn an_issuer_s_documents_must_be_on_its_own_host() {
    let signer = Signer::ec();
    for (discovery, why) in [
        (json!({"jwks_uri": "http://127.0.0.1:1/keys"}), "another port"),
        (json!({"jwks_uri": "https://127.0.0.1/keys"}), "another scheme"),
        (json!({"issuer": "https://other.example", "jwks_uri": "http://x/keys"}), "another issuer"),
        (json!({}), "no keys"),
        (json!([]), "no object"),
    ] {
        let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
        *issuer.discovery.lock().unwrap() = Some(discovery);
        let failure = issuer.verify(&verifier(&issuer), &signer.token_with(&issuer.claims())).await.err();
        assert!(matches!(failure, Some(ProofFailure::KeysUnavailable(_))), "{why}: {failure:?}");
        assert_eq!(issuer.key_requests(), 0, "{why}");
    }
}

#[tokio::test]
async fn a_key_set_with_too_many_keys_or_bytes_is_rejected() {
    let signer = Signer::ec();
    let many: Vec<_> = (0..17).map(|_| signer.jwk("k1")).collect();
    // A document of exactly 64 KiB is accepted.
    let most = 64 * 1024;
    let without_fill = json!({"keys": [json!({"kty": ""}), signer.jwk("k1")]}).to_string().len();
    let filled_to = |bytes: usize| [json!({"kty": "x".repeat(bytes - without_fill)}), signer.jwk("k1")];
    let issuer = TestIssuer::start(&filled_to(most)).await;
    issuer.verify(&verifier(&issuer), &signer.token_with(&issuer.claims())).await.unwrap();
    for keys in [&many[..], &filled_to(most + 1), &filled_to(2 * most)] {
        let issuer = TestIssuer::start(keys).await;
        let failure = issuer.verify(&verifier(&issuer), &signer.token_with(&issuer.claims())).await.err();
        assert!(matches!(failure, Some(ProofFailure::KeysUnavailable(_))), "{failure:?}");
    }
    let sixteen: Vec<_> = (0..13)
        .map(|_| json!({"kty": "OKP", "kid": "k1"}))
        .chain([json!({"kid": 7}), json!("key")])
        .chain([signer.jwk("k1")])
        .collect();
    let issuer = TestIssuer::start(&sixteen).await;
    issuer.verify(&verifier(&issuer), &signer.token_with(&issuer.claims())).await.unwrap();
}
