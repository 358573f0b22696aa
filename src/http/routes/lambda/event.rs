//! The event: the credentials themselves, or an API Gateway proxy event (REST or HTTP API) whose `body` holds them.
//!
//! It is read as the function read it, in Python: `isBase64Encoded` may be any value that Python takes for true, and
//! base64 may have line ends and other characters in it.

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

/// What some editors and PowerShell write before UTF-8. Lambda passes over it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Python ignores the bits that do not fill a byte.
const PYTHON_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The members of a JSON object, each as it stands. Of two with one name Python takes the last.
type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// What the function looked at of an event.
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
    /// What Lambda refuses without asking the function: a payload that is no JSON.
    pub(super) fn read(mut payload: BodyBytes) -> Result<Self, ApiError> {
        if payload.starts_with(BYTE_ORDER_MARK) {
            payload.remove_first(BYTE_ORDER_MARK.len());
        }
        if payload.is_empty() {
            // Lambda gives the function an empty event then.
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

/// A body that is no string is the JSON itself.
fn read_body(body: &RawValue, encoded: bool) -> Option<Zeroizing<Vec<u8>>> {
    if !body.get().starts_with('"') {
        return Some(Zeroizing::new(body.get().as_bytes().to_vec()));
    }
    let text = Zeroizing::new(String::deserialize(body).ok()?.into_bytes());
    if encoded { decode_as_python(&text) } else { Some(text) }
}

/// What `if event.get("isBase64Encoded")` makes of a value.
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

/// What Python 3.13's `base64.b64decode` makes of a text: `binascii.a2b_base64` without its strict mode. Characters that
/// are not in the alphabet are passed over, if they are ASCII; the text ends where padding fills up a group of four.
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

/// The request's `Origin`, from `headers` or, as load balancers may send it, from `multiValueHeaders`.
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

    /// Each as `base64.b64decode` of Python 3.13 was seen to answer.
    #[test]
    fn base64_is_decoded_as_python_decodes_it() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("eyJhIjoxfQ==", Some(b"{\"a\":1}")),
            ("eyJh\nIjox\r\nfQ==\n", Some(b"{\"a\":1}")),
            (" eyJh-Ijox_fQ= = ", Some(b"{\"a\":1}")),
            // Padding where no group can end is passed over, and what stands behind the end, too.
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
