//! An STS that repeats the secrets in other encodings and places: no part of them reaches an answer.

use crate::helpers::{App, SECRET_KEY, TOKEN};
use crate::stub::{IDENTITY, Reply, Stub, http, sts_error};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use std::collections::HashSet;

/// A run of letters and digits of this length counts as part of a secret.
const PART: usize = 12;

/// Secrets in encodings that a reader can decode.
fn spellings(secret: &str) -> Vec<String> {
    let each = |form: &dyn Fn(u8) -> String| secret.bytes().map(form).collect::<String>();
    let cut = |by: &str| each(&|byte| format!("{}{by}", char::from(byte)));
    vec![
        secret.to_owned(),
        secret.to_uppercase(),
        secret.to_lowercase(),
        BASE64_STANDARD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(format!("x{secret}")),
        hex::encode(secret),
        hex::encode_upper(format!("token={secret}")),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("&amp;#{byte};")),
        each(&|byte| format!("&#{byte};")),
        cut(" "),
        cut("-"),
        cut("&amp;nbsp;"),
        cut("&#x200B;"),
    ]
}

/// The letters and digits of a text.
fn plain(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// The parts of a secret that occur in an answer, in each encoding, without separators.
fn parts(secret: &str) -> HashSet<Vec<u8>> {
    let each = |form: &dyn Fn(u8) -> String| secret.bytes().map(form).collect::<String>();
    let spelled = [
        secret.to_owned(),
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD.encode(format!("x{secret}")),
        hex::encode(secret),
        each(&|byte| format!("&#{byte};")),
    ];
    spelled
        .iter()
        .flat_map(|text| plain(text).windows(PART).map(<[u8]>::to_vec).collect::<Vec<_>>())
        .collect()
}

fn tells(answer: &str, parts: &HashSet<Vec<u8>>) -> bool {
    plain(&answer.replace("&nbsp;", "")).windows(PART).any(|part| parts.contains(part))
}

/// Replies that contain a text in each place that an answer uses.
fn replies(spelled: &str) -> Vec<Reply> {
    let header = spelled.replace("&amp;", "&");
    let id = ("x-amzn-RequestId", header.as_str());
    vec![
        sts_error(403, "AccessDenied", &format!("User {spelled} is not authorized")),
        sts_error(403, spelled, "no"),
        http(200, &[], &IDENTITY.replace("example-user", spelled)),
        http(200, &[], &IDENTITY.replace("AIDAXXXXXXXXXXXXXXXXX", spelled)),
        http(200, &[], &IDENTITY.replace("123456789012", spelled)),
        http(200, &[], &IDENTITY.replace("1020a616-1656-464c-9563-6690998cea47", spelled)),
        http(200, &[id, ("x-echo", &header), ("x-amz-sts-extended-request-id", &header)], IDENTITY),
        http(503, &[id], ""),
    ]
}

#[tokio::test]
async fn no_encoding_of_a_secret_reaches_an_answer_from_any_place() {
    for secret in [SECRET_KEY, TOKEN] {
        let (parts, spellings) = (parts(secret), spellings(secret));
        let as_read = |spelled: &str| spelled.replace("&amp;", "&").replace("&#x200B;", "");
        assert!(spellings.iter().all(|spelled| tells(&as_read(spelled), &parts)), "this test would find it");
        let replies: Vec<Reply> = spellings.iter().flat_map(|spelled| replies(spelled)).collect();
        let count = replies.len();
        let stub = Stub::replies(replies).await;
        let app = App::asking(&stub.url, &["--max-attempts=1"]).await;
        for n in 0..count {
            let response = app.verify_someone().await;
            let answer = format!("{:?}\n{}", response.headers().clone(), response.text().await.unwrap());
            assert!(!tells(&answer, &parts), "reply {n}, {}: {answer}", spellings[n / 8]);
        }
        assert_eq!(stub.count(), count);
    }
}

#[tokio::test]
async fn a_header_whose_name_repeats_a_secret_is_left_out() {
    let names = [TOKEN[..20].to_owned(), hex::encode(&SECRET_KEY[..14]), format!("x-{}", &SECRET_KEY[..13])];
    let mut headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    headers.push(("x-kept", "1"));
    let stub = Stub::always(http(200, &headers, IDENTITY)).await;
    let body: Value = App::asking(&stub.url, &[]).await.verify_someone().await.json().await.unwrap();
    let given = body["aws_res"]["ResponseMetadata"]["HTTPHeaders"].as_object().unwrap();
    assert_eq!(given.keys().collect::<Vec<_>>(), ["x-kept", "content-length"]);
}

#[tokio::test]
async fn answers_of_sts_are_passed_on_unchanged() {
    let headers = [
        ("x-amzn-requestid", "8102c0c9-0411-4723-8eaf-c276f17466bd"),
        ("x-amz-sts-extended-request-id", "MTp1cy1lYXN0LTE6UzoxNzY4MjYyNjI4MDAwOlI6YWJjZGVmZ2g="),
        ("content-type", "text/xml"),
        ("date", "Tue, 13 Jan 2026 00:03:48 GMT"),
    ];
    let stub = Stub::always(http(200, &headers, IDENTITY)).await;
    let body: Value = App::asking(&stub.url, &[]).await.verify_someone().await.json().await.unwrap();
    let given = &body["aws_res"]["ResponseMetadata"]["HTTPHeaders"];
    for (name, value) in headers {
        assert_eq!(given[name], value);
    }
}
