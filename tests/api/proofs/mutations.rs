//! Mutated proofs as they are posted: STS itself accepts what the service accepts.

use super::{ROLE, app_asking, post, signer};
use crate::helpers::{caller, start_sandbox};
use crate::proof_makers::{AUDIENCE, host_of};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// A text with some parts replaced.
pub fn mutate(text: &str, changes: &[(prop::sample::Index, usize, String)]) -> String {
    let mut text = text.to_owned();
    for (at, length, with) in changes {
        let at = at.index(text.len() + 1);
        let places =
            |place: usize| (0..=place.min(text.len())).rev().find(|&place| text.is_char_boundary(place));
        let (Some(from), Some(to)) = (places(at), places(at + length)) else { continue };
        text.replace_range(from..to.max(from), with);
    }
    text
}

/// One to three changes; many of them are inputs that parsers read differently.
pub fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let nasty = prop::sample::select(vec![
        "%",
        "%00",
        "%0d%0a",
        "+",
        "&",
        "=",
        "?",
        "#",
        "@",
        ":443",
        "/",
        "//",
        "\\",
        ".",
        ";",
        ",",
        " ",
        "\r\n",
        "\u{0}",
        "é",
        "&Action=AssumeRole",
        "&action=GetCallerIdentity",
        "%41ction",
        "https://",
        "evil.example",
        "X-Amz-",
        "\"",
        "{",
        "[",
    ]);
    let with = prop_oneof![4 => nasty.prop_map(str::to_owned), 2 => "\\PC{0,4}", 2 => "[0-9a-fA-F%]{0,3}", 1 => Just(String::new())];
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6, with), 1..4)
}

/// The request that a client would send with this proof itself, from the posted bytes, if it is a request.
fn sent_directly(
    sandbox: &str,
    url: &str,
    method: &Method,
    headers: &Value,
    body: String,
) -> Option<reqwest::Request> {
    let (host, rest) = url.strip_prefix("https://")?.split_once(['/', '?'])?;
    let target = format!(
        "{sandbox}/{}",
        if rest.starts_with('?') { rest.to_owned() } else { format!("?{rest}").replacen("??", "?", 1) }
    );
    let mut sent = HeaderMap::new();
    for (name, value) in headers.as_object()? {
        let value = value.as_array().and_then(|values| values.first()).unwrap_or(value);
        sent.insert(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_str(value.as_str()?).ok()?,
        );
    }
    sent.insert("host", HeaderValue::from_str(host).ok()?);
    sent.entry("x-sts-verify-audience").or_insert(HeaderValue::from_static(AUDIENCE));
    let request = reqwest::Client::new().request(method.clone(), target).headers(sent).body(body);
    request.build().ok()
}

/// Posts mutated proofs: the sandbox also accepts every accepted proof when it gets the same bytes.
#[tokio::test]
async fn a_mutated_proof_is_not_accepted_unless_sts_accepts_the_same_request() {
    let sandbox = start_sandbox().await;
    let app = app_asking(&sandbox, &["--max-attempts=1"]).await;
    let client = reqwest::Client::new();
    let mut runner = TestRunner::new(Config::default());
    let (url, login) = (signer(ROLE).url(), signer(ROLE).login());
    let headers =
        String::from_utf8(BASE64_STANDARD.decode(login["iam_request_headers"].as_str().unwrap()).unwrap())
            .unwrap();
    let (mut accepted, mut asked) = (0, 0);
    for case in 0..1_500 {
        let changes = changes().new_tree(&mut runner).unwrap().current();
        // Sometimes nothing is changed, so that some proofs are certainly accepted.
        let changes = if case % 50 < 2 { Vec::new() } else { changes };
        let (body, direct) = if case % 2 == 0 {
            let url = mutate(&url, &changes);
            let direct = sent_directly(&sandbox, &url, &Method::GET, &json!({}), String::new());
            (json!({"presigned_url": url}), direct)
        } else {
            let headers = mutate(&headers, &changes);
            let mut login = login.clone();
            login["iam_request_headers"] = json!(BASE64_STANDARD.encode(&headers));
            let headers: Value = serde_json::from_str(&headers).unwrap_or_default();
            let host = format!("https://{}/", host_of("us-east-1"));
            (
                login,
                sent_directly(&sandbox, &host, &Method::POST, &headers, crate::proof_makers::BODY.to_owned()),
            )
        };
        let (said, answer) = post(&app, &body).await;
        asked += usize::from(said.1 == "ClientError" || said.0 == 200);
        if said.0 == 200 {
            accepted += 1;
            assert_eq!(answer["aws_res"]["Arn"], caller(ROLE).arn());
            let direct = direct.unwrap_or_else(|| panic!("no client could send this: {body}"));
            let answer = client.execute(direct).await.unwrap();
            assert_eq!(answer.status(), 200, "{body}");
        }
    }
    assert!(accepted >= 60 && asked > accepted, "{accepted} of {asked}");
}

/// A token has only one representation: with any change it is no longer accepted.
#[tokio::test]
async fn a_mutated_token_is_never_accepted() {
    let sandbox = start_sandbox().await;
    let app = app_asking(&sandbox, &[]).await;
    let token = crate::proof_makers::web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await;
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..1_000 {
        let changed = mutate(&token, &changes().new_tree(&mut runner).unwrap().current());
        let (said, _) = post(&app, &json!({"WebIdentityToken": changed})).await;
        assert!(
            said.0 == 400 && (said.3.as_deref() != Some("valid")) || changed == token,
            "{changed}: {said:?}"
        );
    }
    assert_eq!(post(&app, &json!({"WebIdentityToken": token})).await.0, super::valid());
}
