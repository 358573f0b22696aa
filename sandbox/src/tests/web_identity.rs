//! Web identity tokens: as AWS was recorded to issue them, and verified as their receivers do.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};

use super::{Ask, NOW, ROLE, URL, USER, error_of, received, sts};
use crate::{Caller, Sandbox, request::Received, sts::Sts};

const TOKEN: &str = "Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=verify.example.com";

/// A caller's request for a token with these parameters beside the audience.
pub(super) fn ask(key: &str, parameters: &str) -> Ask {
    Ask::of(key).with(|ask| ask.action = format!("{TOKEN}&{parameters}"))
}

/// The token that a request gets.
pub(super) fn token(sts: &Sts, request: Received) -> String {
    let body = sts.ask(request).response.expect("a response").body;
    let (_, rest) = body.split_once("<WebIdentityToken>").unwrap_or_else(|| panic!("no token: {body}"));
    rest.split_once("</").expect("its end").0.to_owned()
}

fn document(sts: &Sts, path: &str) -> Value {
    let mut request = received(Method::GET, "", &[("host", "127.0.0.1:8090")], "");
    request.path = path.to_owned();
    let response = sts.ask(request).response.expect("a response");
    assert_eq!(response.headers, [("content-type", "application/json".to_owned())]);
    serde_json::from_str(&response.body).expect("JSON")
}

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&decode(token.split('.').nth(index).expect("a part"))).expect("JSON")
}

/// Whether the key of the token's `kid` among the published ones verifies it.
pub(super) fn verifies(sts: &Sts, token: &str) -> bool {
    let keys = document(sts, "/.well-known/jwks.json");
    let head = part(token, 0);
    let key =
        keys["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == head["kid"]).expect("its key");
    let member = |name: &str| decode(key[name].as_str().expect(name));
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let (signed, signature) = (signed.as_bytes(), decode(signature));
    match (key["kty"].as_str(), head["alg"].as_str()) {
        (Some("RSA"), Some("RS256")) => {
            let key = PublicKeyComponents { n: member("n"), e: member("e") };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, &signature).is_ok()
        }
        (Some("EC"), Some("ES384")) => {
            let point = [vec![4], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, &signature).is_ok()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_has_aws_s_head_and_is_verified_by_the_published_keys() {
    let sts = sts();
    for (algorithm, kid) in [("RS256", "RSA_0"), ("ES384", "EC384_0")] {
        let ask = ask(USER, &format!("SigningAlgorithm={algorithm}"));
        for request in [ask.post(), ask.presigned()] {
            let token = token(&sts, request);
            assert_eq!(part(&token, 0), json!({"kid": kid, "typ": "JWT", "alg": algorithm}));
            assert!(verifies(&sts, &token), "{token}");
            let changed = token.replacen(".eyJ", ".eYJ", 1);
            assert!(changed != token && !verifies(&sts, &changed), "{changed}");
        }
    }
}

#[test]
fn a_user_s_claims_are_those_of_aws_in_its_order() {
    let token = token(&sts(), ask(USER, "SigningAlgorithm=ES384").post());
    let claims = part(&token, 1);
    let arn = "arn:aws:iam::123456789012:user/division_abc/subdivision_xyz/Zhang@example.com-CLI";
    let expected = json!({
        "aud": "verify.example.com",
        "sub": arn,
        "https://sts.amazonaws.com/": {
            "aws_account": "123456789012",
            "source_region": "us-east-1",
            "principal_id": arn,
            "org_id": "o-abc1234567",
            "ou_path": ["o-abc1234567/r-ab12/ou-ab12-11111111/"],
            "principal_tags": {"team": "platform"},
        },
        "iss": URL,
        "exp": NOW.unix_timestamp() + 300,
        "iat": NOW.unix_timestamp(),
        "jti": claims["jti"],
    });
    assert_eq!(claims.to_string(), expected.to_string());
    uuid::Uuid::parse_str(claims["jti"].as_str().expect("text")).expect("a UUID");
}

#[test]
fn a_session_s_token_names_the_role_with_its_path_and_the_end_of_the_session() {
    let claims = part(&token(&sts(), ask(ROLE, "SigningAlgorithm=ES384").post()), 1);
    let arn = "arn:aws:iam::123456789012:role/service-role/SandboxRole";
    let aws = &claims["https://sts.amazonaws.com/"];
    assert_eq!((&claims["sub"], &aws["principal_id"]), (&json!(arn), &json!(arn)));
    assert_eq!(aws["original_session_exp"], "2026-11-23T13:00:00Z");
    assert_eq!(aws["lambda_source_function_arn"], "arn:aws:lambda:us-east-1:123456789012:function:sandbox");
}

#[test]
fn what_is_asked_for_is_in_the_token() {
    let parameters = "SigningAlgorithm=ES384&DurationSeconds=60&Audience.member.2=b&SubjectMode=AWSIdentity\
        &Tags.member.2.Key=b&Tags.member.2.Value=&Tags.member.1.Value=x+y&Tags.member.1.Key=a";
    let sts = sts();
    let claims = part(&token(&sts, ask(USER, parameters).post()), 1);
    assert_eq!(claims["aud"], json!(["verify.example.com", "b"]));
    assert_eq!(claims["exp"], NOW.unix_timestamp() + 60);
    assert_eq!(claims["https://sts.amazonaws.com/"]["request_tags"].to_string(), r#"{"a":"x y","b":""}"#);
    let response = sts.ask(ask(USER, parameters).post()).response.expect("a response");
    assert!(response.body.contains("<Expiration>2026-11-23T12:01:00.000Z</Expiration>"), "{}", response.body);
    assert!(response.body.starts_with(
        "<GetWebIdentityTokenResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
         <GetWebIdentityTokenResult>\n    <WebIdentityToken>ey"
    ));
    let json = sts.ask(ask(USER, parameters).with(|ask| ask.accept = Some("application/json")).post());
    let json: Value = serde_json::from_str(&json.response.expect("a response").body).expect("JSON");
    let result = &json["GetWebIdentityTokenResponse"]["GetWebIdentityTokenResult"];
    assert_eq!(result["Expiration"], "2026-11-23T12:01:00.000Z");
    assert!(verifies(&sts, result["WebIdentityToken"].as_str().expect("a token")));
}

#[test]
fn a_claim_that_a_caller_was_given_replaces_the_sandbox_s() {
    let ann = Caller::user("123456789012", "ann");
    let odd = ann.with_token_claim("aws_account", "999999999999").with_token_claim("org_id", "o-a");
    let key = odd.access_key_id.clone();
    let request = ask(USER, "SigningAlgorithm=ES384").with(|ask| {
        (ask.key, ask.secret) = (key, odd.secret_access_key.clone());
    });
    let builder = Sandbox::builder().caller(odd).clock(|| NOW.into());
    let token = token(&Sts::new(builder, URL.to_owned()).expect("good settings"), request.post());
    let aws = &part(&token, 1)["https://sts.amazonaws.com/"];
    assert_eq!((&aws["aws_account"], &aws["org_id"]), (&json!("999999999999"), &json!("o-a")));
}

#[test]
fn every_good_caller_can_have_a_token() {
    let sts = sts();
    for caller in crate::table().into_iter().take_while(|caller| !caller.description.starts_with("good, but"))
    {
        let token = token(&sts, ask(&caller.access_key_id, "SigningAlgorithm=RS256").post());
        assert!(verifies(&sts, &token), "{}", caller.description);
        let claims = part(&token, 1);
        assert_eq!(claims["sub"], caller.principal_arn());
        assert_eq!(claims["https://sts.amazonaws.com/"]["aws_account"], caller.account());
    }
}

#[test]
fn one_row_s_tokens_have_expired_and_one_gets_none() {
    let sts = sts();
    let token = token(&sts, ask("AKIASBXOLDJWTEXAMPLE", "SigningAlgorithm=ES384").post());
    assert!(verifies(&sts, &token));
    assert_eq!(part(&token, 1)["exp"], NOW.unix_timestamp() - 2 * 60 * 60 + 300);
    let none =
        sts.ask(ask("AKIASBXNOJWT0EXAMPLE", "SigningAlgorithm=ES384").post()).response.expect("a response");
    let (status, code, message) = error_of(&none);
    assert_eq!((status, code.as_str()), (403, "OutboundWebIdentityFederationDisabledException"));
    assert_eq!(message, "OutboundWebIdentityFederation is disabled.");
}

#[test]
fn new_keys_have_the_ids_of_the_old_ones_and_verify_no_old_token() {
    let sts = sts();
    for algorithm in ["RS256", "ES384"] {
        let ask = ask(USER, &format!("SigningAlgorithm={algorithm}"));
        let old = token(&sts, ask.post());
        sts.issuer.rotate_keys().expect("randomness");
        assert!(!verifies(&sts, &old), "{algorithm}");
        assert!(verifies(&sts, &token(&sts, ask.post())), "{algorithm}");
    }
}

#[test]
fn the_documents_are_those_of_aws() {
    let sts = sts();
    let expected = json!({
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "jti", "https://sts.amazonaws.com/"],
        "id_token_signing_alg_values_supported": ["RS256", "ES384"],
        "issuer": URL,
        "jwks_uri": format!("{URL}/.well-known/jwks.json"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
    });
    assert_eq!(document(&sts, "/.well-known/openid-configuration"), expected);
    let keys = document(&sts, "/.well-known/jwks.json");
    let members =
        |index: usize| keys["keys"][index].as_object().expect("a key").keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(0), ["e", "kid", "kty", "n", "use"]);
    assert_eq!(members(1), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
}
