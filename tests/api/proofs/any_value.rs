//! Any JSON value in any member of a proof, and in any claim of a token that its issuer has signed: the answer is
//! a refusal in the documented form or a success, never an internal error.

use super::{ROLE, app_asking, post, said, say, signer};
use crate::gate::{ALL, HEADERS, Policies};
use crate::helpers::App;
use crate::proof_makers::{claims, es384, with};
use crate::stub::{Stub, http, identity};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::sync::Arc;

/// Values that readers differ on.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(7.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!(" "),
        json!("a, b"),
        json!("\r\nx-sts-account: 1"),
        json!("\u{0}\u{e9}\u{202e}"),
        json!("x".repeat(4_000)),
        json!([]),
        json!([""]),
        json!([null]),
        json!(["a", "b"]),
        json!(["a,b", "\u{e9}"]),
        json!([["a"]]),
        json!({}),
        json!({"": ""}),
        json!({"a": {"b": []}}),
    ]
}

/// The same values, and this many random ones.
fn values(count: usize) -> Vec<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[\u{0}-\u{7f}]{0,12}".prop_map(Value::from),
    ];
    let any_value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_-]{0,8}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    });
    let mut runner = TestRunner::deterministic();
    let made = (0..count).map(|_| any_value.new_tree(&mut runner).unwrap().current());
    odd_values().into_iter().chain(made).collect()
}

#[tokio::test]
async fn any_value_in_any_member_of_a_proof_is_refused_as_a_caller_s_mistake() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &[]).await;
    let login = signer(ROLE).login();
    for value in values(60) {
        let mut bodies = vec![
            json!({"status": {"token": value}}),
            json!({"spec": {"token": value}}),
            json!({"presigned_url": signer(ROLE).url(), "token": if value.is_null() { json!("") } else { value.clone() }}),
        ];
        for member in ["token", "WebIdentityToken", "presigned_url", "presignedUrl"] {
            bodies.push(json!({member: value}));
        }
        for member in login.as_object().unwrap().keys() {
            let mut changed = login.clone();
            changed[member] = value.clone();
            bodies.push(changed);
            let mut encoded = login.clone();
            encoded[member] = json!(BASE64_STANDARD.encode(value.to_string()));
            bodies.push(encoded);
        }
        for body in bodies {
            let (said, answer) = post(&app, &body).await;
            assert!(
                said.0 == 400 || (said.0 == 200 && body.get("presigned_url").is_some()),
                "{body}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn an_empty_member_of_a_login_is_missing_in_every_form() {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &[]).await;
    let missing = said(400, "ParamValidationError", "MissingParameter", "-");
    let login = signer(ROLE).login();
    for member in login.as_object().unwrap().keys() {
        for empty in [json!(null), json!("")] {
            let mut body = login.clone();
            body[member] = empty;
            assert_eq!(say(&app, &body).await, missing, "{body}");
        }
    }
    for empty in [json!({}), json!("{}"), json!(" { }"), json!(BASE64_STANDARD.encode("{}"))] {
        let body = with(login.clone(), &[("iam_request_headers", empty)]);
        assert_eq!(say(&app, &body).await, missing, "{body}");
    }
    assert_eq!(stub.count(), 0);
}

/// An issuer of tokens with any claims.
struct Issuer {
    key: EcdsaKeyPair,
    stub: Stub,
}

impl Issuer {
    async fn start() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let point = key.public_key().as_ref();
        let jwk = json!({
            "kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig", "kid": es384()["kid"],
            "x": BASE64.encode(&point[1..49]), "y": BASE64.encode(&point[49..]),
        });
        let keys = Arc::new(json!({"keys": [jwk]}).to_string());
        let stub = Stub::start(move |_, request| {
            if request.starts_with("GET /keys ") {
                return http(200, &[], &keys);
            }
            let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            http(200, &[], &json!({"jwks_uri": format!("http://{host}/keys")}).to_string())
        });
        Self { key, stub: stub.await }
    }

    fn token(&self, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&es384()), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature.as_ref()))
    }
}

/// Asks a gate whose policy lets the caller pass; every header of an answer can be read.
async fn ask_gate(app: &App, token: &str) -> u16 {
    let request = app.client.get(app.url("/auth/p")).header("x-sts-verify-proof", token);
    let answer = request.send().await.unwrap();
    for name in HEADERS {
        assert!(answer.headers()[name].to_str().is_ok(), "{name}");
    }
    answer.status().as_u16()
}

#[tokio::test]
async fn any_value_of_any_claim_in_a_token_that_its_issuer_signed_is_answered_or_refused() {
    let issuer = Issuer::start().await;
    let policies = Policies::new(ALL);
    let app = app_asking(&issuer.stub.url, &[&policies.flag()]).await;
    let aws = "https://sts.amazonaws.com/";
    let good = with(
        claims(&issuer.stub.url),
        &[
            ("https://sts.amazonaws.com/>org_id", json!("o-abc1234567")),
            ("https://sts.amazonaws.com/>ou_path", json!(["o-abc1234567/r-ab12/"])),
        ],
    );
    assert_eq!(post(&app, &json!({"token": issuer.token(&good)})).await.0, super::valid());
    assert_eq!(ask_gate(&app, &issuer.token(&good)).await, 200);
    for value in values(40) {
        for claim in ["iss", "aud", "sub", "iat", "exp", "nbf", "jti", aws, "other"] {
            let mut claims = good.clone();
            claims[claim] = value.clone();
            answered_or_refused(&app, &issuer.token(&claims), claim, &value).await;
        }
        for claim in ["aws_account", "principal_id", "subject_mode", "org_id", "ou_path", "request_tags"] {
            let mut claims = good.clone();
            claims[aws][claim] = value.clone();
            answered_or_refused(&app, &issuer.token(&claims), claim, &value).await;
        }
    }
}

async fn answered_or_refused(app: &App, token: &str, claim: &str, value: &Value) {
    let (said, answer) = post(app, &json!({"token": token})).await;
    assert!(matches!(said.0, 200 | 400), "{claim}: {value}: {answer}");
    let gate = ask_gate(app, token).await;
    let expected = if said.0 == 200 { 200 } else { 401 };
    assert_eq!(gate, expected, "{claim}: {value}: {answer}");
    assert_eq!(said.0 == 200, said.3.as_deref() == Some("valid"), "{claim}: {value}");
}

#[tokio::test]
async fn an_organisation_that_is_none_is_a_token_that_aws_does_not_make() {
    let issuer = Issuer::start().await;
    let app = app_asking(&issuer.stub.url, &[]).await;
    let code = async |claim: &str, value: &Value| {
        let name = format!("https://sts.amazonaws.com/>{claim}");
        let mut claims = with(claims(&issuer.stub.url), &[(&name, json!("o-abc1234567"))]);
        claims["https://sts.amazonaws.com/"][claim] = value.clone();
        post(&app, &json!({"token": issuer.token(&claims)})).await.0
    };
    let refused = said(400, "ProofError", "TokenNotAllowed", "invalid");
    for odd in [json!(1), json!({}), json!(true), json!("a b"), json!("a,b"), json!("\r\n"), json!("\u{e9}")]
    {
        assert_eq!(code("org_id", &odd).await, refused, "{odd}");
        assert_eq!(code("ou_path", &odd).await, refused, "{odd}");
        assert_eq!(code("ou_path", &json!(["o-abc1234567/r-ab12/", odd])).await, refused, "{odd}");
    }
    assert_eq!(code("org_id", &json!(["o-abc1234567"])).await, refused);
    for none in [json!(null), json!("")] {
        assert_eq!(code("org_id", &none).await, super::valid(), "{none}");
        assert_eq!(code("ou_path", &none).await, super::valid(), "{none}");
    }
    assert_eq!(code("ou_path", &json!([])).await, super::valid());
}
