//! Interprets an HTTP reply of STS by botocore's rules.
//!
//! The SDK's own parser is not used: it takes an answer that was cut off for a success (`account: "1234"`), or
//! a code from XML that ends in the middle, and has no code for an empty 503. The rules are those of
//! `botocore/parsers.py` (`ResponseParser.parse`, and [`super::document`]), and stricter in one point: a
//! success must have all of Arn, UserId and Account.

use super::document::{self, ErrorElement, Unreadable};
use super::{Endpoint, Identity, Rejection, StsFailure, StsResponse, Verdict, retry};
use crate::credentials::redact::Redactor;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use roxmltree::Node;
use std::borrow::Cow;
use std::time::Duration;
use zeroize::Zeroizing;

/// More than ten times the length of the longest answer of STS, headers and body. A longer answer is not from
/// STS.
pub(super) const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The header with STS's request id.
const REQUEST_ID: &str = "x-amzn-requestid";

/// The headers that STS sends.
const HEADERS: [&str; 5] =
    ["content-length", "content-type", "date", REQUEST_ID, "x-amz-sts-extended-request-id"];

/// A reply whose body was read to its end. It may repeat the secrets of the call, so it has no `Debug`.
pub(super) struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// Reads an answer's body into one buffer. The connection limits its length.
    pub(super) async fn receive(response: Response<Incoming>) -> Result<Self, hyper::Error> {
        let (head, mut frames) = response.into_parts();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(frame) = frames.frame().await {
            if let Some(data) = frame?.data_ref() {
                append(&mut body, data);
            }
        }
        Ok(Self { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// The wait that STS wants before the next attempt.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let mut values = self.headers.get_all("x-amz-retry-after").iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        retry::retry_after(only.to_str().ok()?)
    }

    /// Interprets the reply to a call with these secrets. The result contains no part of them, even if STS or a
    /// proxy repeated it.
    pub(super) fn read(&self, endpoint: &Endpoint, secrets: [&str; 2]) -> Result<StsResponse, StsFailure> {
        let not_sts = |well_formed, code| StsFailure::NotSts {
            endpoint: endpoint.clone(),
            status: self.status,
            well_formed,
            code,
        };
        let redactor = Redactor::new(secrets);
        if let Some(rejection) = self.without_a_document(&redactor) {
            return Ok(StsResponse::Rejection(rejection));
        }
        let document = document::parse(&self.body).map_err(|Unreadable| not_sts(false, None))?;
        let root = document.root_element();
        match self.status {
            200..=299 => self.identity(root, &redactor).map(StsResponse::Identity),
            300 => None,
            _ => match document::error(root).map_err(|Unreadable| not_sts(false, None))? {
                Some(error) if !error.has_message => {
                    return Err(not_sts(true, Some(redactor.clean(error.code))));
                }
                error => error.map(|error| StsResponse::Rejection(self.rejection(error, &redactor))),
            },
        }
        .ok_or_else(|| not_sts(true, None))
    }

    /// A 5xx without a body, or with a proxy's HTML page: botocore makes an error of the status itself.
    fn without_a_document(&self, redactor: &Redactor) -> Option<Rejection> {
        // The characters that Python counts as white space.
        let blanks = self.body.iter().take_while(|byte| b" \t\n\x0b\x0c\r".contains(byte)).count();
        let body = &self.body[blanks..];
        let generic = self.status >= 500 && (body.is_empty() || body.starts_with(b"<html>"));
        generic.then(|| Rejection {
            code: self.status.to_string(),
            message: Some(reason_phrase(self.status).to_owned()),
            status: self.status,
            request_id: self.request_id_header(redactor),
            verdict: Verdict::Indeterminate,
        })
    }

    fn rejection(&self, error: ErrorElement, redactor: &Redactor) -> Rejection {
        // Before the texts are redacted: a made-up secret may be a word that STS itself uses.
        let verdict = Verdict::of(self.status, &error);
        Rejection {
            code: redactor.clean(error.code),
            message: error.message.map(|text| redactor.clean(text)),
            status: self.status,
            request_id: error
                .request_id
                .map(|id| redactor.clean(id))
                .or_else(|| self.request_id_header(redactor)),
            verdict,
        }
    }

    fn identity(&self, root: Node, redactor: &Redactor) -> Option<Identity> {
        let caller = document::caller(root)?;
        let headers = self.clean_headers(redactor);
        // The id in the document is usually that of a header, which is redacted already.
        let is_known = |id: &String| headers.iter().any(|(_, value)| value == id);
        let request_id = caller.request_id.map(|id| if is_known(&id) { id } else { redactor.clean(id) });
        Some(Identity {
            user_id: redactor.clean_name(caller.user_id),
            account: redactor.clean_name(caller.account),
            arn: redactor.clean_name(caller.arn),
            request_id,
            status: self.status,
            headers,
        })
    }

    /// The headers as boto3 has them: in the order received, names in lower case, repeated ones joined, bytes
    /// beyond ASCII as Latin-1. A header whose name repeats a secret is left out.
    fn clean_headers(&self, redactor: &Redactor) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::with_capacity(self.headers.keys_len());
        // Headers with the same name come one after the other.
        for (name, value) in &self.headers {
            let value = match value.to_str() {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
            };
            match headers.last_mut().filter(|(last, _)| last == name.as_str()) {
                Some((_, joined)) => {
                    joined.push_str(", ");
                    joined.push_str(&value);
                }
                None => headers.push((name.as_str().to_owned(), value.into_owned())),
            }
        }
        headers.retain_mut(|(name, value)| {
            if !is_harmless(name, value) {
                *value = redactor.clean(std::mem::take(value));
            }
            HEADERS.contains(&name.as_str()) || redactor.is_clean(name)
        });
        headers
    }

    fn request_id_header(&self, redactor: &Redactor) -> Option<String> {
        let id = self.headers.get(REQUEST_ID)?.to_str().ok()?;
        Some(redactor.clean(id.to_owned()))
    }
}

/// Whether a header has the form in which STS sends it, if that form has no room for a secret.
fn is_harmless(name: &str, value: &str) -> bool {
    match name {
        "content-length" => value.len() <= 8,
        "content-type" => value == "text/xml",
        "date" => is_date(value.as_bytes()),
        _ => false,
    }
}

/// Whether a text is an HTTP date (RFC 9110, section 5.6.7): `Tue, 13 Jan 2026 00:03:48 GMT`.
fn is_date(text: &[u8]) -> bool {
    const FORM: &[u8; 29] = b"Aaa, 00 Aaa 0000 00:00:00 GMT";
    let has_form = |(byte, form): (&u8, &u8)| match form {
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    text.len() == FORM.len() && text.iter().zip(FORM).all(has_form)
}

/// Appends bytes to a buffer. If the buffer is reallocated, the old memory is wiped, too.
fn append(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = buffer.len() + bytes.len();
    if needed > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * buffer.capacity())));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}

/// The standard reason phrase of a status, as Python's `http.client.responses` has it; empty for an unknown
/// one.
fn reason_phrase(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}
