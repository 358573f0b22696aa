//! Proofs that cannot be parsed or are not accepted: 400 `ParamValidationError` without a verdict, and the
//! answer repeats no part of them.

use super::{ROLE, Said, USER, app_asking, posted, said, say, signer};
use crate::proof_makers::{claims, eks_token, es384, unsigned_token};
use crate::stub::{Stub, identity};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

fn invalid(code: &str) -> Said {
    said(400, "ParamValidationError", code, "-")
}

/// A login with a changed member; null removes it.
fn login_with(member: &str, value: Value) -> Value {
    crate::proof_makers::with(signer(ROLE).login(), &[(member, value)])
}

fn base64(text: &str) -> Value {
    json!(BASE64_STANDARD.encode(text))
}

fn tokens() -> Vec<Value> {
    let good = signer(ROLE).eks_token();
    let jwt = unsigned_token(&es384(), &claims("https://issuer.example"));
    let parts: Vec<&str> = jwt.split('.').collect();
    let payload = |json: &str| format!("{}.{}.{}", parts[0], BASE64_URL_SAFE_NO_PAD.encode(json), parts[2]);
    let head = |json: &str| format!("{}.{}.{}", BASE64_URL_SAFE_NO_PAD.encode(json), parts[1], parts[2]);
    [
        // Not base64, or another variant of it.
        format!("{good}="),
        format!("{good}!"),
        format!("{good}\n"),
        "k8s-aws-v1.".to_owned(),
        "k8s-aws-v1.+/+/".to_owned(),
        // No URL in it.
        format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode([0xff; 30])),
        eks_token("sts.amazonaws.com"),
        eks_token("https:///?Action=GetCallerIdentity"),
        // Above its limit.
        format!("k8s-aws-v1.{}", "A".repeat(12_288)),
        format!("{jwt}{}", "A".repeat(16_384)),
        // Neither of the two.
        "a".to_owned(),
        "k8s-aws-v2.aHR0cHM6Ly8".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{jwt}.a"),
        format!("{jwt}="),
        format!("{}.{}.", parts[0], "{}"),
        // Not a JSON object, or a repeated member.
        payload("[]"),
        payload("{"),
        payload("{\"aud\":\"a\",\"aud\":\"a\"}"),
        payload("{\"a\":{\"b\":1,\"\\u0062\":2}}"),
        head("{\"alg\":\"ES384\",\"alg\":\"ES384\",\"kid\":\"a\"}"),
        head("\"ES384\""),
    ]
    .map(|token| json!({"token": token}))
    .into()
}

fn urls() -> Vec<Value> {
    let good = signer(USER).url();
    [
        good.trim_start_matches("https://").to_owned(),
        "https://".to_owned(),
        good.replace("sts.us-east-1.amazonaws.com", ""),
        good.replace("sts.us-east-1.amazonaws.com", "user@:443"),
        format!("{good}%"),
        format!("{good}%2"),
        format!("{good}%zz"),
        format!("{good} "),
        format!("{good}\r\nHost: evil.example"),
        format!("{good}\\"),
        format!("{good}\"'<>"),
        format!("{good}é"),
        format!("{good}&a=%0a"),
        format!("{good}&a=%00"),
        format!("{good}&Action=GetCallerIdentity"),
        format!("{good}&action=AssumeRole"),
        format!("{good}&%41ction=AssumeRole"),
        format!("{good}&X-Amz-Date=1&x=1&x=2"),
        format!("{good}&a={}", "x".repeat(8_192)),
    ]
    .map(|url| posted(&url))
    .into()
}

fn logins() -> Vec<Value> {
    let headers = |json: &str| login_with("iam_request_headers", base64(json));
    let many: Value = (0..33).map(|n| (format!("x-{n}"), json!("a"))).collect();
    vec![
        login_with("iam_request_url", json!("https://sts.amazonaws.com/")),
        login_with("iam_request_url", base64("sts.amazonaws.com")),
        login_with(
            "iam_request_url",
            json!(BASE64_STANDARD.encode("https://sts.amazonaws.com/").trim_end_matches('=')),
        ),
        login_with("iam_request_url", json!(BASE64_STANDARD.encode([0xff, 0xfe]))),
        login_with("iam_request_body", json!("~")),
        login_with("iam_request_headers", json!("~")),
        login_with("iam_request_headers", json!("{")),
        login_with("iam_request_headers", json!({"A": "1", "a": "1"})),
        login_with("iam_request_headers", json!({"a": ["1", "2"]})),
        login_with("iam_request_headers", json!({"a": []})),
        login_with("iam_request_headers", json!({"a": null})),
        login_with("iam_request_headers", json!({"a": true})),
        login_with("iam_request_headers", json!({"a": {"b": "c"}})),
        login_with("iam_request_headers", json!({"a b": "1"})),
        login_with("iam_request_headers", json!({"": "1"})),
        login_with("iam_request_headers", json!({"a:": "1"})),
        login_with("iam_request_headers", json!({"a": "1\r\nb: 2"})),
        login_with("iam_request_headers", json!({"a": "\u{e9}"})),
        login_with("iam_request_headers", json!({"a": "x".repeat(8_193)})),
        login_with("iam_request_headers", many),
        headers("[]"),
        headers("{\"a\":\"1\",\"a\":\"1\"}"),
        headers("{\"a\":\"1\",\"\\u0061\":\"1\"}"),
        headers("{} {}"),
    ]
}

#[tokio::test]
async fn an_unreadable_proof_is_an_invalid_parameter_without_a_call_to_sts() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &[]).await;
    for (kind, member) in [(tokens(), "token"), (urls(), "presigned_url"), (logins(), "iam_request_")] {
        for body in kind {
            assert_eq!(say(&app, &body).await, invalid("InvalidParameter"), "{body}");
            let answer: Value = app.verify(&body).await.json().await.unwrap();
            let message = answer["error_message"].as_str().unwrap();
            assert!(message.contains(member) && message.len() < 120, "{message}");
        }
    }
    for (member, value) in [
        ("presigned_url", json!(1)),
        ("token", json!(["a"])),
        ("WebIdentityToken", json!(true)),
        ("iam_request_url", json!(7)),
    ] {
        assert_eq!(say(&app, &json!({member: value})).await, invalid("InvalidParameter"), "{member}");
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn a_member_of_a_login_that_is_absent_or_empty_is_named() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &[]).await;
    for member in ["iam_http_request_method", "iam_request_url", "iam_request_body", "iam_request_headers"] {
        for value in [json!(null), json!("")] {
            let body = login_with(member, value);
            assert_eq!(say(&app, &body).await, invalid("MissingParameter"), "{body}");
            let answer: Value = app.verify(&body).await.json().await.unwrap();
            assert!(answer["error_message"].as_str().unwrap().contains(member), "{answer}");
        }
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn a_proof_beside_credentials_or_another_is_a_duplicate() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &[]).await;
    let (url, other) = (signer(USER).url(), signer(ROLE).url());
    let login = signer(ROLE).login();
    let jwt = unsigned_token(&es384(), &claims(&stub.url));
    let beside = |proof: Value| {
        let mut body = crate::helpers::someone();
        body.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
        body
    };
    for body in [
        beside(posted(&url)),
        beside(json!({"WebIdentityToken": jwt})),
        beside(login.clone()),
        beside(json!({"status": {"token": signer(ROLE).eks_token()}})),
        json!({"presigned_url": url, "inner": {"presigned_url": other}}),
        json!({"presigned_url": url, "token": jwt}),
        json!({"token": jwt, "WebIdentityToken": format!("{jwt}x")}),
        json!({"login": login, "presigned_url": url}),
    ] {
        assert_eq!(say(&app, &body).await, invalid("DuplicateParameter"), "{body}");
    }
    assert_eq!(stub.count(), 0);
}
