//! Answers as bytes: STS's XML and JSON, and what stands between a client and STS when it goes wrong.
//!
//! The XML is byte for byte what contract.md recorded: no declaration, two blanks of indent, a last newline.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{refusal::Refusal, table::Identity};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The two forms that STS answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
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

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: StatusCode,
    /// What the log calls it: the code, or `OK`.
    pub label: &'static str,
    /// In the order of the wire. `Content-Length` and `Date` follow; hyper adds them.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    /// STS names the caller.
    pub fn identity(format: Format, identity: &Identity, region: &str, now: OffsetDateTime) -> Self {
        let id = Uuid::new_v4().to_string();
        let body = match format {
            Format::Xml => identity_xml(identity, &id),
            Format::Json => identity_json(identity, &id),
        };
        let headers = vec![
            ("x-amzn-requestid", id),
            ("x-amz-sts-extended-request-id", extended_request_id(region, now)),
            ("content-type", format.content_type().to_owned()),
        ];
        Self { status: StatusCode::OK, label: "OK", headers, body }
    }

    /// STS says no.
    pub fn refusal(format: Format, refusal: &Refusal) -> Self {
        let id = Uuid::new_v4().to_string();
        let body = match format {
            Format::Xml => refusal_xml(refusal, &id),
            Format::Json => refusal_json(refusal, &id),
        };
        let headers = vec![("x-amzn-requestid", id), ("content-type", format.content_type().to_owned())];
        Self { status: refusal.status, label: refusal.code, headers, body }
    }

    /// What a load balancer says for a service that is gone: a status and nothing else.
    pub fn empty_unavailable() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, label: "(empty)", headers: vec![], body: String::new() }
    }

    /// What a captive portal or a misconfigured proxy says: cheerful HTML.
    pub fn proxy_page() -> Self {
        let body = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
                    <body><p>Please sign in to use this network.</p></body></html>\n";
        let headers = vec![("content-type", "text/html; charset=utf-8".to_owned())];
        Self { status: StatusCode::OK, label: "(html)", headers, body: body.to_owned() }
    }

    /// The same answer, its body cut in the middle by something that also mended the `Content-Length`.
    pub fn cut_short(mut self) -> Self {
        self.body.truncate(self.body.len() / 2);
        self.label = "(cut)";
        self
    }

    /// For a health check of the process itself; STS has no such path.
    pub fn alive() -> Self {
        let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        Self { status: StatusCode::OK, label: "(alive)", headers, body: "ok\n".to_owned() }
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let length = HeaderValue::from(answer.body.len());
        let mut response = Self::new(Full::new(answer.body.into()));
        *response.status_mut() = answer.status;
        for (name, value) in answer.headers {
            // Every value is made in this file, of ASCII without control characters.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response.headers_mut().insert(header::CONTENT_LENGTH, length);
        response
    }
}

fn identity_xml(identity: &Identity, id: &str) -> String {
    let (arn, user_id, account) = (escape(identity.arn), escape(identity.user_id), escape(identity.account));
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">
  <GetCallerIdentityResult>
    <Arn>{arn}</Arn>
    <UserId>{user_id}</UserId>
    <Account>{account}</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>{id}</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
"
    )
}

fn identity_json(identity: &Identity, id: &str) -> String {
    let Identity { arn, user_id, account } = identity;
    json!({"GetCallerIdentityResponse": {
        "GetCallerIdentityResult": {"Account": account, "Arn": arn, "UserId": user_id},
        "ResponseMetadata": {"RequestId": id},
    }})
    .to_string()
}

fn refusal_xml(refusal: &Refusal, id: &str) -> String {
    let (kind, code, message) = (refusal.kind(), refusal.code, escape(&refusal.message));
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

fn refusal_json(refusal: &Refusal, id: &str) -> String {
    let error = json!({"Code": refusal.code, "Message": refusal.message, "Type": refusal.kind()});
    json!({"Error": error, "RequestId": id}).to_string()
}

/// Text for an XML element; STS leaves quotes as they are. What XML cannot hold (a decoded `%00`) is replaced.
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
