//! The login of Vault, OpenBao and Consul: a signed POST or GET request in four members.

use super::{Header, SignedRequest, check_url};
use crate::credentials::ValidationError;
use crate::proof::strict_json::{Json, read_object};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 8_192;

/// The names of the members.
const METHOD: &str = "iam_http_request_method";
const URL: &str = "iam_request_url";
const BODY: &str = "iam_request_body";
const HEADERS: &str = "iam_request_headers";

const NOT_PRINTABLE: &str = "must hold printable ASCII";

/// The members as they were posted. `None` for one that is absent.
#[derive(Default, Clone, Copy)]
pub struct IamLogin<'a> {
    /// `iam_http_request_method`: GET or POST.
    pub method: Option<&'a str>,
    /// `iam_request_url`: base64 of the URL.
    pub url: Option<&'a str>,
    /// `iam_request_body`: base64 of the body. A GET needs none.
    pub body: Option<&'a str>,
    /// `iam_request_headers`.
    pub headers: Option<HeaderMember<'a>>,
}

/// The headers, which clients post in three forms.
#[derive(Clone, Copy)]
pub enum HeaderMember<'a> {
    /// A string: base64 of a JSON object, or the text of the object.
    Text(&'a str),
    /// The text of a JSON object.
    Object(&'a str),
}

impl SignedRequest {
    /// Reads a login.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] for a login that is malformed or incomplete.
    pub fn from_iam_login(login: IamLogin<'_>) -> Result<Self, ValidationError> {
        let method = required(login.method, METHOD)?;
        if !is_printable(method) {
            return Err(ValidationError::Invalid(METHOD, NOT_PRINTABLE));
        }
        let url = decode_text(required(login.url, URL)?, URL)?;
        check_url(&url, URL)?;
        // A GET has no body to send.
        let body = if method == "GET" { login.body.unwrap_or_default() } else { required(login.body, BODY)? };
        let body = Zeroizing::new(decode_text(body, BODY)?.as_bytes().to_vec());
        let headers = match login.headers {
            None | Some(HeaderMember::Text("")) => return Err(ValidationError::Missing(HEADERS)),
            Some(HeaderMember::Object(json)) => headers(json.as_bytes())?,
            Some(HeaderMember::Text(json)) if json.trim_ascii_start().starts_with('{') => {
                headers(json.as_bytes())?
            }
            Some(HeaderMember::Text(encoded)) => headers(&decode(encoded, HEADERS)?)?,
        };
        // The URL of a GET may hold all there is.
        if headers.is_empty() && method != "GET" {
            return Err(ValidationError::Missing(HEADERS));
        }
        Ok(Self { method: Zeroizing::new(method.to_owned()), url, headers, body })
    }
}

fn required<'a>(value: Option<&'a str>, member: &'static str) -> Result<&'a str, ValidationError> {
    value.filter(|value| !value.is_empty()).ok_or(ValidationError::Missing(member))
}

fn decode(text: &str, member: &'static str) -> Result<Zeroizing<Vec<u8>>, ValidationError> {
    let decoded = BASE64_STANDARD.decode(text).map(Zeroizing::new);
    decoded.map_err(|_| ValidationError::Invalid(member, "must be base64 with padding"))
}

fn decode_text(text: &str, member: &'static str) -> Result<Zeroizing<String>, ValidationError> {
    let decoded = decode(text, member)?;
    let text = std::str::from_utf8(&decoded).ok();
    let text = text.filter(|text| is_printable(text));
    let text = text.ok_or(ValidationError::Invalid(member, NOT_PRINTABLE))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A JSON object of headers, each with one value.
fn headers(json: &[u8]) -> Result<Vec<Header>, ValidationError> {
    let malformed =
        ValidationError::Invalid(HEADERS, "must hold a JSON object of headers, each once and with one value");
    let object = read_object(json).ok_or(malformed)?;
    let members = object.into_members();
    if members.len() > MAX_HEADERS {
        return Err(ValidationError::Invalid(HEADERS, "must hold at most 32 headers"));
    }
    let mut headers: Vec<Header> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let name = name.to_ascii_lowercase();
        let value = one_value(&value).filter(|value| is_header_value(value)).ok_or(malformed)?;
        if !is_header_name(&name) || headers.iter().any(|(known, _)| *known == name) {
            return Err(malformed);
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// A string, a number, or an array with one of these: Go's `http.Header` has arrays.
fn one_value(value: &Json<'_>) -> Option<Zeroizing<String>> {
    let value = match value {
        Json::Array(values) => match &values[..] {
            [value] => value,
            _ => return None,
        },
        value => value,
    };
    match value {
        Json::Text(text) => Some(Zeroizing::new(text.clone().into_owned())),
        Json::Number(number) => Some(Zeroizing::new(number.to_string())),
        _ => None,
    }
}

/// RFC 9110, section 5.6.2.
fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(is_token)
}

fn is_header_value(value: &str) -> bool {
    value.len() <= MAX_HEADER_BYTES && is_printable(value)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}
