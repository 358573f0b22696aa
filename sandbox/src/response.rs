//! The responses as bytes: STS's XML and JSON, and those of programs between a client and STS.
//!
//! The XML is byte for byte as it was recorded: no declaration, two spaces of indentation, a final newline.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{caller::Caller, error::StsError, web_identity::Token};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The two formats of STS's responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Xml,
    Json,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Xml => "text/xml",
            Self::Json => "application/json",
        }
    }
}

/// A response that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutgoingResponse {
    pub status: StatusCode,
    /// The label in the log: the code of an error, or `OK`.
    pub label: Cow<'static, str>,
    /// In the order in which they are sent. hyper adds `Content-Length` and `Date` after them.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl OutgoingResponse {
    /// The result of GetCallerIdentity.
    pub fn identity(format: Format, caller: &Caller, region: &str, now: OffsetDateTime) -> Self {
        let (arn, user_id) = (caller.arn(), caller.user_id());
        let members = [("Arn", &*arn), ("UserId", &*user_id), ("Account", caller.account())];
        Self::success(format, "GetCallerIdentity", &members, &extended_request_id(region, now))
    }

    /// The result of GetWebIdentityToken.
    pub fn web_identity_token(format: Format, token: &Token, region: &str, now: OffsetDateTime) -> Self {
        let members = [("WebIdentityToken", &*token.jwt), ("Expiration", &*token.expiration)];
        Self::success(format, "GetWebIdentityToken", &members, &extended_request_id(region, now))
    }

    fn success(format: Format, operation: &str, members: &[(&str, &str)], extended_id: &str) -> Self {
        let id = Uuid::new_v4().to_string();
        let body = match format {
            Format::Xml => success_xml(operation, members, &id),
            Format::Json => success_json(operation, members, &id),
        };
        let headers = vec![
            ("x-amzn-requestid", id),
            ("x-amz-sts-extended-request-id", extended_id.to_owned()),
            ("content-type", format.content_type().to_owned()),
        ];
        Self { status: StatusCode::OK, label: "OK".into(), headers, body }
    }

    /// An error of STS.
    pub fn error(format: Format, error: &StsError) -> Self {
        let id = Uuid::new_v4().to_string();
        let body = match format {
            Format::Xml => error_xml(error, &id),
            Format::Json => error_json(error, &id),
        };
        let headers = vec![("x-amzn-requestid", id), ("content-type", format.content_type().to_owned())];
        Self { status: error.status, label: error.code.clone(), headers, body }
    }

    /// The response of a load balancer without a working server: only a status.
    pub fn empty_unavailable() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, label: "(empty)".into(), headers: vec![], body: String::new() }
    }

    /// The response of a captive portal or a misconfigured proxy: HTML.
    pub fn proxy_page() -> Self {
        let body = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
                    <body><p>Please sign in to use this network.</p></body></html>\n";
        let headers = vec![("content-type", "text/html; charset=utf-8".to_owned())];
        Self { status: StatusCode::OK, label: "(html)".into(), headers, body: body.to_owned() }
    }

    /// The same response with its body cut in the middle and a matching `Content-Length`.
    pub fn cut_short(mut self) -> Self {
        self.body.truncate(self.body.len() / 2);
        self.label = "(cut)".into();
        self
    }

    /// A public JSON document.
    pub fn document(document: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status: StatusCode::OK, label: "(document)".into(), headers, body: document.to_string() }
    }

    /// The response to a health check of the process itself; STS has no such path.
    pub fn alive() -> Self {
        let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        Self { status: StatusCode::OK, label: "(alive)".into(), headers, body: "ok\n".to_owned() }
    }
}

impl From<OutgoingResponse> for Response<Full<Bytes>> {
    fn from(outgoing: OutgoingResponse) -> Self {
        let length = HeaderValue::from(outgoing.body.len());
        let mut response = Self::new(Full::new(outgoing.body.into()));
        *response.status_mut() = outgoing.status;
        for (name, value) in outgoing.headers {
            // All values are made in this file, of ASCII without control characters.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response.headers_mut().insert(header::CONTENT_LENGTH, length);
        response
    }
}

fn success_xml(operation: &str, members: &[(&str, &str)], id: &str) -> String {
    let element = |(name, value): &(&str, &str)| format!("    <{name}>{}</{name}>\n", escape(value));
    let members = members.iter().map(element).collect::<Vec<_>>().concat();
    format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\">
  <{operation}Result>
{members}  </{operation}Result>
  <ResponseMetadata>
    <RequestId>{id}</RequestId>
  </ResponseMetadata>
</{operation}Response>
"
    )
}

/// The members of the result are ordered by name.
fn success_json(operation: &str, members: &[(&str, &str)], id: &str) -> String {
    let result: BTreeMap<_, _> = members.iter().copied().collect();
    json!({format!("{operation}Response"): {
        format!("{operation}Result"): result,
        "ResponseMetadata": {"RequestId": id},
    }})
    .to_string()
}

fn error_xml(error: &StsError, id: &str) -> String {
    let (kind, code, message) = (error.kind(), escape(&error.code), escape(&error.message));
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">
  <Error>
    <Type>{kind}</Type>
    <Code>{code}</Code>
    <Message>{message}</Message>
  </Error>
  <RequestId>{id}</RequestId>
</ErrorResponse>
"
    )
}

fn error_json(error: &StsError, id: &str) -> String {
    let error = json!({"Code": error.code, "Message": error.message, "Type": error.kind()});
    json!({"Error": error, "RequestId": id}).to_string()
}

/// Text for an XML element. STS does not escape quotes. Characters that XML cannot contain (a decoded `%00`)
/// are replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            control if control < ' ' => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Base64 of `1:<region>:S:<milliseconds since 1970>:R:<eight characters>`.
fn extended_request_id(region: &str, now: OffsetDateTime) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let milliseconds = now.unix_timestamp_nanos() / 1_000_000;
    let random: String = Uuid::new_v4()
        .into_bytes()
        .iter()
        .take(8)
        .map(|b| char::from(ALPHABET[usize::from(*b) % ALPHABET.len()]))
        .collect();
    STANDARD.encode(format!("1:{region}:S:{milliseconds}:R:{random}"))
}
