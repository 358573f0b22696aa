//! The encoding and compression of a body.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, expected, header, summary};
use crate::stub::{Stub, identity};
use serde_json::json;
use sts_verify::credentials::{ValidationError, VerifyRequest};

fn read(body: &[u8]) -> Result<(), ValidationError> {
    VerifyRequest::from_json(body).map(|_| ())
}

#[test]
fn a_byte_order_mark_is_taken_and_another_encoding_is_refused_by_name() {
    let body =
        json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "caf\u{e9}"}).to_string();
    let good = body.replace('\u{e9}', "e");
    assert!(read(format!("\u{feff}{good}").as_bytes()).is_ok());
    assert_eq!(read(format!("\u{feff}\u{feff}{good}").as_bytes()), Err(ValidationError::MalformedJson));
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let latin_1: Vec<u8> = body.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let utf_32: Vec<u8> = good.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
    // `curl -d @file` sends it without the NUL bytes.
    let stripped = little(&format!("\u{feff}{good}")).into_iter().filter(|byte| *byte != 0).collect();
    for other in [
        little(&good),
        big(&good),
        little(&format!("\u{feff}{good}")),
        big(&format!("\u{feff}{good}")),
        utf_32,
        latin_1,
        stripped,
    ] {
        assert_eq!(
            VerifyRequest::from_json(&other).err(),
            Some(ValidationError::NotUtf8),
            "{:?}",
            &other[..8]
        );
    }
    assert!(ValidationError::NotUtf8.to_string().contains("UTF-8"));
}

#[tokio::test]
async fn a_byte_order_mark_and_another_encoding_over_http() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    let body = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}).to_string();
    assert_eq!(app.verify_text(format!("\u{feff}{body}")).await.status(), 200);
    let utf_16: Vec<u8> = format!("\u{feff}{body}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(summary(app.verify_text(utf_16).await).await, expected(400, "", "MalformedJson"));
}

#[tokio::test]
async fn a_compressed_body_is_refused_and_its_coding_named() {
    let app = App::with_sandbox(&[]).await;
    let post = |codings: &'static [&str]| {
        let request = app.client.post(app.url("/verify")).header("content-type", "application/json");
        codings
            .iter()
            .fold(request, |request, coding| request.header("content-encoding", *coding))
            .body("{}")
            .send()
    };
    for (codings, named) in [
        (&["gzip"][..], "gzip"),
        (&["GZip"], "gzip"),
        (&["identity, br"], "br"),
        (&["identity", "zstd"], "zstd"),
        (&["x-secret-coding"], "an unknown one"),
    ] {
        let answer = post(codings).await.unwrap();
        assert_eq!(header(&answer, "accept-encoding"), Some("identity"));
        let text = answer.text().await.unwrap();
        let message = format!("The request body must have no Content-Encoding; it has {named}.");
        assert!(text.contains("\"UnsupportedMediaType\"") && text.contains(&message), "{text}");
    }
    for codings in [&["identity"][..], &[""], &["Identity, ,identity"]] {
        assert_eq!(
            summary(post(codings).await.unwrap()).await,
            expected(400, "", "MissingParameter"),
            "{codings:?}"
        );
    }
}
