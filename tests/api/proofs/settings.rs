//! The kinds that the operator accepts: other kinds get `ProofNotAccepted`, and no secret is accepted.

use super::{ROLE, Said, app_asking, post, posted, said, say, signer, valid};
use crate::helpers::{App, body_of, caller, start_sandbox};
use crate::proof_makers::{AUDIENCE, web_identity_token};
use crate::stub::{Stub, identity};
use serde_json::{Value, json};

fn not_accepted() -> Said {
    said(400, "ParamValidationError", "ProofNotAccepted", "-")
}

#[tokio::test]
async fn each_kind_is_accepted_only_if_it_is_named() {
    let sandbox = start_sandbox().await;
    let token = web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await;
    let kinds: [(&str, Vec<Value>); 3] = [
        ("credentials", vec![body_of(caller(ROLE))]),
        (
            "signed-requests",
            vec![
                posted(&signer(ROLE).url()),
                signer(ROLE).login(),
                json!({"token": signer(ROLE).eks_token()}),
            ],
        ),
        ("web-identity-tokens", vec![json!({"token": token}), json!({"WebIdentityToken": token})]),
    ];
    for accept in
        ["credentials", "signed-requests", "web-identity-tokens", "signed-requests,web-identity-tokens"]
    {
        let app = app_asking(&sandbox, &[&format!("--accept={accept}")]).await;
        for (kind, bodies) in &kinds {
            let expected = if accept.split(',').any(|word| word == *kind) { valid() } else { not_accepted() };
            for body in bodies {
                assert_eq!(say(&app, body).await, expected, "{accept}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn with_credentials_not_accepted_no_secret_is_accepted() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &["--accept=signed-requests,web-identity-tokens"]).await;
    let someone = crate::helpers::someone();
    let mut event = json!({"requestContext": {}, "body": someone.to_string()});
    assert_eq!(say(&app, &someone).await, not_accepted());
    event["body"] = json!(json!({"Credentials": someone}).to_string());
    assert_eq!(super::invoke(&app, &event).await.0, not_accepted());
    assert_eq!(stub.count(), 0);
    assert_eq!(post(&app, &posted(&signer(ROLE).url())).await.0, valid());
}

#[tokio::test]
async fn incomplete_or_wrong_host_credentials_are_not_used_either() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &["--accept=signed-requests"]).await;
    for body in [
        json!({"stsSecretKey": "wJalrXUtnFEMI/K7MDENG"}),
        json!({"AccessKeyId": "no key", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG"}),
        json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x".repeat(129)}),
        json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret", "region": 5}),
        json!({"Credentials": {"SessionToken": "IQoJb3JpZ2luX2Vj"}}),
    ] {
        assert_eq!(say(&app, &body).await, not_accepted(), "{body}");
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn without_settings_no_proof_is_accepted_and_credentials_are() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    let jwt = crate::proof_makers::unsigned_token(
        &crate::proof_makers::es384(),
        &crate::proof_makers::claims(&stub.url),
    );
    for body in [posted(&signer(ROLE).url()), signer(ROLE).login(), json!({"token": jwt})] {
        assert_eq!(say(&app, &body).await, not_accepted());
    }
    assert_eq!(stub.count(), 0);
    assert_eq!(app.verify_someone().await.status(), 200);
}

#[tokio::test]
async fn a_token_of_neither_kind_is_malformed_whatever_is_accepted() {
    let stub = Stub::always(identity()).await;
    let malformed = said(400, "ParamValidationError", "InvalidParameter", "-");
    for accept in ["credentials", "signed-requests", "credentials,signed-requests"] {
        let app = app_asking(&stub.url, &[&format!("--accept={accept}")]).await;
        for token in ["a", "a.b", "a.b.c.d", "k8s-aws-v2.aHR0cHM6Ly8", " k8s-aws-v1.aHR0cHM6Ly8"] {
            assert_eq!(say(&app, &json!({"token": token})).await, malformed, "{accept}: {token}");
        }
    }
}
