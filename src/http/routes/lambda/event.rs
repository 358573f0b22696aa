//! The event: the credentials, or an API Gateway proxy event (REST or HTTP API) with the credentials in its
//! `body`.
//!
//! It is read as the function, which was written in Python, read it: `isBase64Encoded` may be any value that
//! Python treats as true, and base64 may contain line ends and other characters.

use crate::http::body::BodyBytes;
use crate::http::error::ApiError;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Some editors and PowerShell write this before UTF-8. Lambda ignores it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Python ignores the bits that do not fill a byte.
const PYTHON_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The members of a JSON object, unparsed. If a name occurs twice, the last one counts, as in Python.
type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The parts of an event that the function used.
pub(super) struct Event {
    /// The JSON with the credentials. `None` for a proxy event whose body cannot be read.
    pub body: Option<BodyBytes>,
    /// The `Origin` of the request in a proxy event.
    pub origin: Option<String>,
}

impl Event {
    /// Reads an invocation's payload.
    ///
    /// # Errors
    ///
    /// A payload that is not JSON, which Lambda rejects without running the function.
    pub(super) fn read(mut payload: BodyBytes) -> Result<Self, ApiError> {
        if payload.starts_with(BYTE_ORDER_MARK) {
            payload.remove_first(BYTE_ORDER_MARK.len());
        }
        if payload.is_empty() {
            // Lambda gives the function an empty event in this case.
            payload = Zeroizing::new(b"{}".to_vec()).into();
        }
        let json: &RawValue =
            serde_json::from_slice(&payload).map_err(|_| ApiError::InvalidRequestContent)?;
        let members: Members = serde_json::from_str(json.get()).unwrap_or_default();
        let given = |name: &str| members.get(name).filter(|value| value.get() != "null");
        match (given("body"), given("requestContext")) {
            (None, None) => Ok(Self { body: Some(payload), origin: None }),
            (body, _) => {
                let encoded = given("isBase64Encoded").is_some_and(|flag| is_true_in_python(flag));
                let body = body.and_then(|body| read_body(body, encoded)).map(BodyBytes::from);
                Ok(Self { body, origin: origin(&members) })
            }
        }
    }
}

/// The JSON in a `body` member. If the member is not a string, it is the JSON itself.
fn read_body(body: &RawValue, encoded: bool) -> Option<Zeroizing<Vec<u8>>> {
    if !body.get().starts_with('"') {
        return Some(Zeroizing::new(body.get().as_bytes().to_vec()));
    }
    let text = Zeroizing::new(String::deserialize(body).ok()?.into_bytes());
    if encoded { decode_as_python(&text) } else { Some(text) }
}

/// Whether Python's `if event.get("isBase64Encoded")` treats a value as true.
fn is_true_in_python(value: &RawValue) -> bool {
    match Value::deserialize(value) {
        Ok(Value::Bool(flag)) => flag,
        Ok(Value::Number(number)) => number.as_f64() != Some(0.0),
        Ok(Value::String(text)) => !text.is_empty(),
        Ok(Value::Array(items)) => !items.is_empty(),
        Ok(Value::Object(members)) => !members.is_empty(),
        Ok(Value::Null) | Err(_) => false,
    }
}

/// Decodes a text like Python 3.13's `base64.b64decode`: `binascii.a2b_base64` without its strict mode. ASCII
/// characters that are not in the alphabet are ignored. The text ends where padding completes a group of four.
fn decode_as_python(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if !text.is_ascii() {
        return None;
    }
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut padding = 0;
    let mut complete = false;
    for byte in text {
        match byte {
            b'=' if digits.len() % 4 >= 2 => {
                padding += 1;
                complete = digits.len() % 4 + padding >= 4;
                if complete {
                    break;
                }
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {
                digits.push(*byte);
                padding = 0;
            }
            _ => {}
        }
    }
    let whole = complete || digits.len().is_multiple_of(4);
    whole.then(|| PYTHON_BASE64.decode(&*digits).ok().map(Zeroizing::new)).flatten()
}

/// The request's `Origin`, from `headers` or from `multiValueHeaders`, which load balancers may send.
fn origin(members: &Members) -> Option<String> {
    let of = |name: &str| {
        let headers: Members = Members::deserialize(*members.get(name)?).ok()?;
        let (_, value) = headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("origin"))?;
        let several = || Vec::<String>::deserialize(value).ok()?.pop();
        String::deserialize(value).ok().or_else(several)
    };
    of("headers").or_else(|| of("multiValueHeaders"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each result was recorded from `base64.b64decode` of Python 3.13.
    #[test]
    fn base64_is_decoded_as_python_decodes_it() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("eyJhIjoxfQ==", Some(b"{\"a\":1}")),
            ("eyJh\nIjox\r\nfQ==\n", Some(b"{\"a\":1}")),
            (" eyJh-Ijox_fQ= = ", Some(b"{\"a\":1}")),
            // Padding where no group can end is ignored, and so is what follows the end.
            ("=eyJhIjoxfQ==", Some(b"{\"a\":1}")),
            ("eyJh==IjoxfQ==", Some(b"{\"a\":1}")),
            ("eyJhIjoxfQ==eyJh", Some(b"{\"a\":1}")),
            ("eyJhIjoxfQ=x=", Some(b"{\"a\":1}\x0c")),
            ("eyJhIjoxfR==", Some(b"{\"a\":1}")),
            // Too short.
            ("eyJhIjoxfQ", None),
            ("eyJhIjoxfQ=", None),
            ("eyJhI", None),
            ("eyJhI===", None),
            ("eyJhIjoxfQ==\u{e9}", None),
            ("\u{e9}eyJhIjoxfQ==", None),
        ] {
            let decoded = decode_as_python(text.as_bytes());
            assert_eq!(decoded.as_deref().map(Vec::as_slice), expected, "{text}");
        }
    }
}
