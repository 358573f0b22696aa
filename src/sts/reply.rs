//! What an HTTP reply of STS means, by botocore's rules.
//!
//! The SDK's own reading is not used: it takes an answer that was cut off for a success (`account: "1234"`), a code
//! from XML that ends in the middle, and has none for an empty 503. The rules are those of `botocore/parsers.py`
//! (`ResponseParser.parse`, and [`super::document`]), made stricter in one place: a success must name all three of Arn,
//! UserId and Account, or nobody was named.

use super::document::{self, ErrorElement, Unreadable};
use super::{Endpoint, Identity, Rejection, StsFailure, StsResponse, Verdict, retry};
use crate::credentials::Credentials;
use crate::credentials::redact::Redactor;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use roxmltree::Node;
use std::time::Duration;
use zeroize::Zeroizing;

/// More than ten times the longest answer of STS, headers and body. What is longer is not one.
pub(super) const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A reply whose body has been read to its end. It may repeat the question's secrets, and so has no `Debug`.
pub(super) struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// Reads an answer's body, whose length its connection bounds, into one buffer.
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

    /// When STS wants to be asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let mut values = self.headers.get_all("x-amz-retry-after").iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        retry::retry_after(only.to_str().ok()?)
    }

    /// Reads the reply to a question asked with these credentials. No part of their secrets is in what comes out,
    /// even if STS or a proxy repeated it.
    pub(super) fn read(
        &self,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<StsResponse, StsFailure> {
        let not_sts = |well_formed, code| StsFailure::NotSts {
            endpoint: endpoint.clone(),
            status: self.status,
            well_formed,
            code,
        };
        let redactor = Redactor::new(credentials);
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

    /// A 5xx with no body, or a page of a proxy for one: botocore makes an error of the status itself.
    fn without_a_document(&self, redactor: &Redactor) -> Option<Rejection> {
        // What Python takes for blank.
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
        // Before the texts are cleaned: a made-up secret may be a word of STS's own.
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
        Some(Identity {
            user_id: redactor.clean_name(caller.user_id),
            account: redactor.clean_name(caller.account),
            arn: redactor.clean_name(caller.arn),
            request_id: caller.request_id.map(|id| redactor.clean(id)),
            status: self.status,
            headers: self.clean_headers(redactor),
        })
    }

    /// The headers as boto3 has them: in the order received, names in lower case, doubled ones joined, bytes beyond ASCII
    /// as Latin-1. A name that repeats a secret is left out.
    fn clean_headers(&self, redactor: &Redactor) -> Vec<(String, String)> {
        let mut headers = Vec::with_capacity(self.headers.keys_len());
        for name in self.headers.keys() {
            let mut joined = String::new();
            for (place, value) in self.headers.get_all(name).iter().enumerate() {
                joined.push_str(if place == 0 { "" } else { ", " });
                joined.extend(value.as_bytes().iter().copied().map(char::from));
            }
            if redactor.is_clean(name.as_str()) {
                headers.push((name.as_str().to_owned(), redactor.clean(joined)));
            }
        }
        headers
    }

    fn request_id_header(&self, redactor: &Redactor) -> Option<String> {
        let id = self.headers.get("x-amzn-requestid")?.to_str().ok()?;
        Some(redactor.clean(id.to_owned()))
    }
}

/// Adds bytes to a buffer. When it has to grow, the one that it grows out of is wiped, too.
fn append(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = buffer.len() + bytes.len();
    if needed > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * buffer.capacity())));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}

/// The standard reason phrase of a status, as Python's `http.client.responses` has it; empty for an unknown one.
fn reason_phrase(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}
