//! Checks the media type and the coding that a request declares for its body.

use crate::http::error::ApiError;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// The codings that an error message may name (those of IANA, and what AWS's SDKs send to S3).
const CODINGS: [&str; 8] =
    ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "aws-chunked"];

/// Requires that the body is declared as uncompressed JSON: `application/json` or a type with the suffix
/// `+json`, with any parameters.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_json = |mime: &mime::Mime| mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON);
    require(headers, "application/json", is_json)
}

/// Requires that the body is declared as uncompressed lines of JSON: `application/x-ndjson`, with any
/// parameters.
pub(crate) fn require_ndjson(headers: &HeaderMap) -> Result<(), ApiError> {
    require(headers, "application/x-ndjson", |mime| mime.subtype() == "x-ndjson")
}

fn require(
    headers: &HeaderMap,
    wanted: &'static str,
    is_it: impl Fn(&mime::Mime) -> bool,
) -> Result<(), ApiError> {
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    // Only the type counts: parameters have no meaning for JSON (RFC 8259, section 11), and some clients send
    // malformed ones.
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let mime: Option<mime::Mime> = str::from_utf8(essence).ok().and_then(|text| text.trim().parse().ok());
    if !mime.is_some_and(|mime| mime.type_() == mime::APPLICATION && is_it(&mime)) {
        return Err(ApiError::UnsupportedMediaType(wanted));
    }
    content_coding(headers).map_or(Ok(()), |coding| Err(ApiError::UnsupportedContentCoding(coding)))
}

/// The first coding that is not `identity`, by its name in [`CODINGS`].
fn content_coding(headers: &HeaderMap) -> Option<&'static str> {
    let lines = headers.get_all(CONTENT_ENCODING).into_iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let coding = codings
        .map(<[u8]>::trim_ascii)
        .find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))?;
    let known = CODINGS.iter().find(|known| coding.eq_ignore_ascii_case(known.as_bytes()));
    Some(known.copied().unwrap_or("an unknown one"))
}
