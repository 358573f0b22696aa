use super::*;
use crate::credentials::ValidationError;

#[tokio::test]
async fn a_token_of_either_algorithm_is_verified_and_its_claims_are_returned() {
    for signer in [Signer::Rsa, Signer::ec()] {
        let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
        let claims = issuer.claims();
        let token = issuer.verify(&verifier(&issuer), &signer.token_with(&claims)).await.unwrap();
        assert_eq!(token.account, "123456789012");
        assert_eq!(token.principal.to_string(), "arn:aws:iam::123456789012:role/ci/Deploy");
        assert_eq!(token.org_id.as_deref(), Some("o-abc1234567"));
        assert_eq!(token.org_paths, ["o-abc1234567/r-ab12/"]);
        assert_eq!((token.issuer.as_str(), token.token_id.as_str()), (issuer.url.as_str(), "a-token-id"));
        assert_eq!(token.replay_id(), replay::digest(&[&issuer.url, "a-token-id"]));
        assert_eq!(token.claims, claims.to_string(), "as it was signed");
        assert_eq!(token.useful_until, UNIX_EPOCH + Duration::from_secs(NOW + 300));
    }
}

#[tokio::test]
async fn tokens_with_invalid_claims_are_rejected_without_fetching_keys() {
    let signer = Signer::ec();
    let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
    let verifier = verifier(&issuer);
    let aws = "https://sts.amazonaws.com/";
    let inner = |name: &str| format!("{aws}>{name}");
    let cases: Vec<(&str, Vec<(String, Value)>)> = vec![
        ("IssuerNotAllowed", vec![("iss".into(), json!("https://issuer.example"))]),
        ("IssuerNotAllowed", vec![("iss".into(), json!(format!("{}/", issuer.url)))]),
        ("IssuerNotAllowed", vec![("iss".into(), json!(null))]),
        ("AudienceMismatch", vec![("aud".into(), json!("elsewhere.example.com"))]),
        ("AudienceMismatch", vec![("aud".into(), json!([AUDIENCE, "elsewhere.example.com"]))]),
        ("AudienceMismatch", vec![("aud".into(), json!([]))]),
        ("AudienceMismatch", vec![("aud".into(), json!(null))]),
        ("ProofExpired", vec![("exp".into(), json!(NOW))]),
        ("ProofExpired", vec![("iat".into(), json!(NOW - 901))]),
        ("ProofExpired", vec![("exp".into(), json!(NOW)), ("iat".into(), json!(NOW + 61))]),
        ("ProofNotYetValid", vec![("iat".into(), json!(NOW + 61))]),
        ("ProofNotYetValid", vec![("nbf".into(), json!(NOW + 61))]),
        ("TokenNotAllowed", vec![("exp".into(), json!("soon"))]),
        ("TokenNotAllowed", vec![("iat".into(), json!(null))]),
        ("TokenNotAllowed", vec![("jti".into(), json!(7))]),
        ("TokenNotAllowed", vec![(aws.into(), json!(null))]),
        ("TokenNotAllowed", vec![(inner("aws_account"), json!("12345678901"))]),
        ("TokenNotAllowed", vec![(inner("aws_account"), json!("210987654321"))]),
        ("TokenNotAllowed", vec![(inner("principal_id"), json!("nobody"))]),
        (
            "TokenNotAllowed",
            vec![(inner("principal_id"), json!("arn:aws-cn:iam::123456789012:role/ci/Deploy"))],
        ),
        (
            "TokenNotAllowed",
            vec![(aws.into(), json!({"aws_account": "123456789012", "subject_mode": "Custom"}))],
        ),
    ];
    for (code, changes) in cases {
        let changes: Vec<_> = changes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let token = signer.token_with(&with(issuer.claims(), &changes));
        let error = issuer.verify(&verifier, &token).await.err();
        let Some(ProofFailure::Invalid(error)) = error else { panic!("{changes:?}: {error:?}") };
        assert_eq!(error.code(), code, "{changes:?}");
    }
    assert_eq!(issuer.key_requests(), 0);
}

#[tokio::test]
async fn the_subject_is_the_principal_where_it_is_the_identity_itself() {
    let signer = Signer::ec();
    let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
    let verifier = verifier(&issuer);
    for mode in [
        json!({"aws_account": "123456789012"}),
        json!({"aws_account": "123456789012", "subject_mode": "AWSIdentity"}),
    ] {
        let token = signer.token_with(&with(issuer.claims(), &[("https://sts.amazonaws.com/", mode)]));
        let good = issuer.verify(&verifier, &token).await.unwrap();
        assert_eq!(good.principal.to_string(), "arn:aws:iam::123456789012:role/ci/Deploy");
    }
}

#[tokio::test]
async fn heads_that_choose_their_own_key_or_algorithm_are_rejected() {
    let signer = Signer::Rsa;
    let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
    let verifier = verifier(&issuer);
    let payload = issuer.claims().to_string();
    for head in [
        json!({"alg": "none", "kid": "k1"}),
        json!({"alg": "HS256", "kid": "k1"}),
        json!({"alg": "rs256", "kid": "k1"}),
        json!({"kid": "k1"}),
        json!({"alg": "RS256"}),
        json!({"alg": "RS256", "kid": 1}),
        json!({"alg": "RS256", "kid": "k1", "crit": ["exp"]}),
        json!({"alg": "RS256", "kid": "k1", "jku": "https://attacker.example"}),
        json!({"alg": "RS256", "kid": "k1", "jwk": {}}),
        json!({"alg": "RS256", "kid": "k1", "x5u": ""}),
        json!({"alg": "RS256", "kid": "k1", "x5c": null}),
    ] {
        let error = issuer.verify(&verifier, &signer.token(&head.to_string(), &payload)).await.err();
        let Some(ProofFailure::Invalid(ProofError::TokenNotAllowed(_))) = error else {
            panic!("{head}: {error:?}")
        };
    }
    assert_eq!(issuer.key_requests(), 0);
}

#[tokio::test]
async fn a_text_that_is_not_a_token_is_malformed_and_not_repeated() {
    let signer = Signer::ec();
    let issuer = TestIssuer::start(&[signer.jwk("k1")]).await;
    let verifier = verifier(&issuer);
    let good = signer.token_with(&issuer.claims());
    let doubled = signer.token(r#"{"alg":"ES384","kid":"k1"}"#, r#"{"iss":"a","iss":"b"}"#);
    let array = signer.token(r#"{"alg":"ES384","kid":"k1"}"#, "[]");
    for token in [
        "",
        "a.b",
        "a.b.c.d",
        "e30.e30",
        "!.e30.e30",
        "e30=.e30.e30",
        &format!("{good}="),
        &format!("{good} "),
        &doubled,
        &array,
        &"a".repeat(20_000),
    ] {
        let error = issuer.verify(&verifier, token).await.err();
        let Some(ProofFailure::Malformed(ValidationError::Invalid("token", _))) = error else {
            panic!("{token}: {error:?}")
        };
    }
}
