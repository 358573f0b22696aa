//! AWS Signature Version 4, recomputed from the received bytes.
//!
//! A client signs what it sends, and this module builds the same canonical text from what arrived. It makes no
//! decisions: [`crate::check`] does. Written from the specification, AWS's "Signature Version 4 signing
//! process".

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

use crate::request::Received;

/// The only algorithm that STS accepts.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The query parameter that the signature does not cover, because it contains the signature.
pub(crate) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// All characters but the unreserved ones of RFC 3986, which are not escaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Day, region, service and terminator: the scope of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub date: String,
    pub region: String,
    pub service: String,
    pub terminal: String,
}

/// The signed parts of a request, and the signing time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// The time in ISO 8601's basic format, as in the string to sign.
    pub timestamp: &'a str,
    pub scope: &'a Scope,
    /// The names of the signed headers as the client listed them: lower case, separated by `;`.
    pub headers: &'a str,
    /// Whether the signature is in the query (a presigned URL).
    pub presigned: bool,
}

/// The signature, in hexadecimal, that the holder of `secret` makes for this request.
pub(crate) fn signature(request: &Received, signed: Signed<'_>, secret: &str) -> String {
    let text = string_to_sign(&canonical_request(request, signed), signed);
    hex(&hmac(&signing_key(secret, signed.scope), text.as_bytes()))
}

fn canonical_request(request: &Received, signed: Signed<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(512 + request.query.len());
    text.extend_from_slice(request.method.as_str().as_bytes());
    text.push(b'\n');
    text.extend_from_slice(canonical_path(&request.path).as_bytes());
    text.push(b'\n');
    text.extend_from_slice(canonical_query(&request.query, signed.presigned).as_bytes());
    text.push(b'\n');
    for name in signed.headers.split(';') {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(&canonical_header(&request.headers, name));
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(signed.headers.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(hex(&Sha256::digest(&request.body)).as_bytes());
    text
}

/// The path without `.`, `..` and duplicate slashes, with each segment encoded once more: every service but S3
/// requires the encoded path to be encoded again.
fn canonical_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            _ => segments.push(encode(segment.as_bytes())),
        }
    }
    let slash = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{slash}", segments.join("/"))
}

/// The parameters, ordered by their encoded names, then by their values. Each is decoded and encoded again,
/// because clients differ in the characters that they escape.
fn canonical_query(query: &str, presigned: bool) -> String {
    let recode = |text: &str| encode(&percent_decode_str(text).collect::<Vec<u8>>());
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| !(presigned && *name == SIGNATURE_PARAMETER))
        .map(|(name, value)| (recode(name), recode(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// All values of the header, trimmed, with inner white space reduced to one space, separated by commas. Empty
/// if the header is missing, which makes the signature invalid.
fn canonical_header(headers: &HeaderMap, name: &str) -> Vec<u8> {
    let values: Vec<Vec<u8>> = headers
        .get_all(name)
        .iter()
        .map(|value| {
            let words = value.as_bytes().split(|byte| *byte == b' ' || *byte == b'\t');
            words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(&b' ')
        })
        .collect();
    values.join(&b',')
}

fn string_to_sign(canonical_request: &[u8], signed: Signed<'_>) -> String {
    let Signed { timestamp, scope, .. } = signed;
    let Scope { date, region, service, terminal } = scope;
    let digest = hex(&Sha256::digest(canonical_request));
    format!("{ALGORITHM}\n{timestamp}\n{date}/{region}/{service}/{terminal}\n{digest}")
}

fn signing_key(secret: &str, scope: &Scope) -> [u8; 32] {
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), scope.date.as_bytes());
    for part in [&scope.region, &scope.service, &scope.terminal] {
        key = hmac(&key, part.as_bytes());
    }
    key
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 2)")]
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, RESERVED).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderName, HeaderValue, Method};

    use super::*;

    /// The credentials of AWS's own examples.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const TIMESTAMP: &str = "20150830T123600Z";

    fn scope(service: &str) -> Scope {
        let [date, region, terminal] = ["20150830", "us-east-1", "aws4_request"].map(str::to_owned);
        Scope { date, region, service: service.to_owned(), terminal }
    }

    fn get(target: &str, headers: &[(&'static str, &'static str)]) -> Received {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Received { method: Method::GET, path: path.into(), query: query.into(), headers, body: Bytes::new() }
    }

    fn signed<'a>(scope: &'a Scope, headers: &'a str) -> Signed<'a> {
        Signed { timestamp: TIMESTAMP, scope, headers, presigned: false }
    }

    #[test]
    fn the_signing_key_is_that_of_aws_s_example() {
        let key = hex(&signing_key(SECRET, &scope("iam")));
        assert_eq!(key, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn every_step_of_aws_s_example_is_reproduced() {
        let request = get(
            "/?Action=ListUsers&Version=2010-05-08",
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", TIMESTAMP),
            ],
        );
        let scope = scope("iam");
        let signed = signed(&scope, "content-type;host;x-amz-date");
        let canonical = canonical_request(&request, signed);
        assert_eq!(
            hex(&Sha256::digest(canonical)),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
        );
        assert_eq!(
            signature(&request, signed, SECRET),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn the_vectors_of_aws_s_test_suite_are_reproduced() {
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", TIMESTAMP)];
        let scope = scope("service");
        let vectors = [
            ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            ("/./", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("/example/..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ];
        for (target, expected) in vectors {
            let ours = signature(&get(target, &headers), signed(&scope, "host;x-amz-date"), SECRET);
            assert_eq!(ours, expected, "{target}");
        }
    }

    #[test]
    fn a_query_is_sorted_and_encoded_the_same_whatever_its_original_form() {
        let canonical = "A=2&Empty=&a=0&a=1&x=a%20b%2Bc~";
        for query in ["x=a%20b%2Bc~&Empty&a=1&A=2&a=0", "&a=0&a=1&&Empty=&A=2&x=a%20b%2bc%7E"] {
            assert_eq!(canonical_query(query, false), canonical);
        }
    }

    #[test]
    fn only_a_presigned_url_excludes_its_signature() {
        let query = "X-Amz-Signature=1&X-Amz-Date=2";
        assert_eq!(canonical_query(query, true), "X-Amz-Date=2");
        assert_eq!(canonical_query(query, false), "X-Amz-Date=2&X-Amz-Signature=1");
    }

    #[test]
    fn a_path_is_normalised_and_encoded_once_more() {
        for (path, canonical) in
            [("/", "/"), ("//", "/"), ("/a%20b/./c/../d/", "/a%2520b/d/"), ("/../x", "/x"), ("", "/")]
        {
            assert_eq!(canonical_path(path), canonical);
        }
    }

    #[test]
    fn header_values_are_trimmed_squeezed_and_joined() {
        let mut request = get("/", &[("my-header", "  a   b\t c ")]);
        request.headers.append("my-header", HeaderValue::from_static("d"));
        assert_eq!(canonical_header(&request.headers, "my-header"), b"a b c,d");
        assert_eq!(canonical_header(&request.headers, "not-sent"), b"");
    }
}
