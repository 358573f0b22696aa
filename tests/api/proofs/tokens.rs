//! Web identity tokens of the sandbox: verified without STS, with the issuer's keys.

use super::{ROLE, Said, app_asking, app_with_sandbox, post, said, say, valid};
use crate::helpers::{App, caller, settings, start_sandbox};
use crate::proof_makers::{AUDIENCE, claims, es384, unsigned_token, web_identity_token};
use crate::stub::{Reply, Stub, http, identity};
use serde_json::{Value, json};
use sts_sandbox::Sandbox;

fn mismatch() -> Said {
    said(400, "ProofError", "SignatureMismatch", "invalid")
}

#[tokio::test]
async fn a_good_token_is_answered_by_its_principal_and_its_claims_as_they_were_signed() {
    let (app, sandbox) = app_with_sandbox(&[]).await;
    for access_key_id in [ROLE, "AKIASBXUSER00EXAMPLE", "AKIASBXROOT00EXAMPLE"] {
        let token = web_identity_token(&sandbox, caller(access_key_id), &[AUDIENCE]).await;
        let (said, answer) = post(&app, &json!({"WebIdentityToken": token})).await;
        assert_eq!(said, valid(), "{answer}");
        let names: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(names, ["aws_res", "claims"]);
        let arn = caller(access_key_id).principal_arn();
        assert_eq!(answer["aws_res"], json!({"Account": "123456789012", "Arn": arn}));
        let payload = base64_url(token.split('.').nth(1).unwrap());
        assert_eq!(answer["claims"].to_string(), payload, "members in their order");
    }
}

fn base64_url(text: &str) -> String {
    use base64::Engine as _;
    String::from_utf8(base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_with_another_signature_or_other_claims_is_a_mismatch() {
    let (app, sandbox) = app_with_sandbox(&[]).await;
    let token = web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await;
    let other = web_identity_token(&sandbox, caller("AKIASBXUSER00EXAMPLE"), &[AUDIENCE]).await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (_, of_other) = other.rsplit_once('.').unwrap();
    for forged in [
        format!("{signed}.{of_other}"),
        format!("{signed}."),
        format!("{signed}.{}", &signature[..signature.len() - 4]),
        unsigned_token(&es384(), &claims(&sandbox)),
    ] {
        assert_eq!(say(&app, &json!({"token": forged})).await, mismatch());
    }
    assert_eq!(post(&app, &json!({"token": token})).await.0, valid());
    let several = web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE, "other.example.com"]).await;
    let refused = said(400, "ProofError", "AudienceMismatch", "invalid");
    assert_eq!(say(&app, &json!({"token": several})).await, refused);
}

#[tokio::test]
async fn a_token_of_removed_keys_is_a_mismatch_for_a_service_that_starts_later() {
    let sandbox = Sandbox::builder().callers(sts_sandbox::table()).start().await.unwrap();
    let old = web_identity_token(sandbox.url(), caller(ROLE), &[AUDIENCE]).await;
    sandbox.rotate_keys().await.unwrap();
    let new = web_identity_token(sandbox.url(), caller(ROLE), &[AUDIENCE]).await;
    let app = app_asking(sandbox.url(), &[]).await;
    assert_eq!(post(&app, &json!({"token": new})).await.0, valid());
    assert_eq!(post(&app, &json!({"token": old})).await.0, mismatch());
}

#[tokio::test]
async fn an_issuer_whose_keys_cannot_be_fetched_is_reported_like_sts() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let (silent, page) = (Stub::always(Reply::Silence).await, Stub::always(http(200, &[], "<html>")).await);
    let sts = Stub::always(identity()).await;
    for (issuer, status, code) in [
        (&away, 502, "EndpointConnectionError"),
        (&silent.url, 504, "ReadTimeoutError"),
        (&page.url, 502, "ResponseParserError"),
    ] {
        let issuers = format!("--token-issuers={issuer}");
        let app =
            app_asking(&sts.url, &[&issuers, "--attempt-timeout=300ms", "--connect-timeout=300ms"]).await;
        let body = json!({"token": unsigned_token(&es384(), &claims(issuer))});
        assert_eq!(say(&app, &body).await, said(status, code, code, "indeterminate"), "{issuer}");
    }
    assert_eq!(sts.count(), 0);
}

#[tokio::test]
async fn a_token_of_an_unreachable_issuer_is_not_used_up() {
    let sandbox = start_sandbox().await;
    let token = json!({"token": web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await});
    let app = app_asking(&sandbox, &["--single-use=true"]).await;
    let forged: Value = json!({"token": format!("{}A", token["token"].as_str().unwrap())});
    // A forged token does not count as a use of the genuine one.
    assert_ne!(post(&app, &forged).await.0, valid());
    assert_eq!(post(&app, &token).await.0, valid());
    assert_eq!(post(&app, &token).await.0, said(400, "ProofError", "ProofReplayed", "indeterminate"));
}

#[tokio::test]
async fn the_sandbox_accepts_proofs_for_the_audience_sandbox_without_further_settings() {
    let sandbox = start_sandbox().await;
    let endpoint = format!("--endpoint-url-sts={sandbox}");
    let app = App::start(&settings(&[&endpoint, "--allowed-regions=*"]), true).await;
    let token = web_identity_token(&sandbox, caller(ROLE), &["sandbox"]).await;
    let signer = super::signer(ROLE).bound_to("sandbox");
    for body in [json!({"token": token}), super::posted(&signer.url()), signer.login()] {
        assert_eq!(say(&app, &body).await, valid(), "{body}");
    }
    assert_eq!(app.verify(&crate::helpers::body_of(caller(ROLE))).await.status(), 200);
}
