//! What an HTTP reply of STS means, by botocore's rules.
//!
//! The SDK's own reading is not used: it takes an answer that was cut off for a success (`account: "1234"`), a code
//! from XML that ends in the middle, and has none for an empty 503. The rules are those of `botocore/parsers.py`
//! (`ResponseParser.parse`, `QueryParser`), made stricter in one place: a success must name all three of Arn, UserId
//! and Account, or nobody was named.

use super::{Endpoint, Identity, Rejection, StsFailure, StsResponse};
use crate::credentials::Credentials;
use crate::credentials::redact::Redactor;
use aws_smithy_runtime_api::http::Headers;
use bytes::Bytes;
use roxmltree::{Document, Node, ParsingOptions};

/// More than ten times the longest answer of STS. What is longer is not one.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// A reply whose body has been read to its end. It may repeat the question's secrets, and so has no `Debug`.
pub(super) struct Reply {
    pub status: u16,
    /// In the order received, names in lower case, doubled ones joined.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Reply {
    /// A reply's headers in the form they are kept in here.
    pub(super) fn headers(received: &Headers) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::with_capacity(received.len());
        for (name, value) in received {
            match headers.iter_mut().find(|(known, _)| known == name) {
                Some((_, joined)) => {
                    joined.push_str(", ");
                    joined.push_str(value);
                }
                None => headers.push((name.to_owned(), value.to_owned())),
            }
        }
        headers
    }

    /// Reads the reply to a question asked with these credentials. No part of their secrets is in what comes out,
    /// even if STS or a proxy repeated it.
    pub(super) fn read(
        self,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<StsResponse, StsFailure> {
        let redactor = Redactor::new(credentials);
        if let Some(rejection) = self.without_a_document(&redactor) {
            return Ok(StsResponse::Rejection(rejection));
        }
        let options = ParsingOptions { allow_dtd: true, nodes_limit: 1_000, ..ParsingOptions::default() };
        let text = std::str::from_utf8(&self.body).map_err(|_| not_sts(endpoint, self.status, false))?;
        let document =
            Document::parse_with_options(text, options).map_err(|_| not_sts(endpoint, self.status, false))?;
        let root = document.root_element();
        let answer = match self.status {
            200..=299 => identity(self.status, self.headers, root, &redactor).map(StsResponse::Identity),
            300 => None,
            _ => self.rejection(root, &redactor).map(StsResponse::Rejection),
        };
        answer.ok_or_else(|| not_sts(endpoint, self.status, true))
    }

    /// A 5xx with no body, or a page of a proxy for one: botocore makes an error of the status itself.
    fn without_a_document(&self, redactor: &Redactor) -> Option<Rejection> {
        let body = self.body.trim_ascii();
        let generic = self.status >= 500 && (body.is_empty() || body.starts_with(b"<html>"));
        generic.then(|| Rejection {
            code: self.status.to_string(),
            message: Some(reason_phrase(self.status).to_owned()),
            status: self.status,
            request_id: self.request_id_header(redactor),
        })
    }

    /// `Error` below the root, or below an `Errors` there. Both of its members have to be present.
    fn rejection(&self, root: Node, redactor: &Redactor) -> Option<Rejection> {
        let error = child(root, "Error").or_else(|| child(child(root, "Errors")?, "Error"))?;
        let message = text_of(child(error, "Message")?);
        Some(Rejection {
            code: redactor.clean(text_of(child(error, "Code")?)?),
            message: message.map(|text| redactor.clean(text)),
            status: self.status,
            request_id: child(root, "RequestId")
                .or_else(|| child(root, "RequestID"))
                .and_then(text_of)
                .map(|id| redactor.clean(id))
                .or_else(|| self.request_id_header(redactor)),
        })
    }

    fn request_id_header(&self, redactor: &Redactor) -> Option<String> {
        let mut headers = self.headers.iter();
        headers.find(|(name, _)| name == "x-amzn-requestid").map(|(_, value)| redactor.clean(value.clone()))
    }
}

fn identity(
    status: u16,
    headers: Vec<(String, String)>,
    root: Node,
    redactor: &Redactor,
) -> Option<Identity> {
    let result = child(root, "GetCallerIdentityResult")?;
    let given = |name| text_of(child(result, name)?).map(|text| redactor.clean_name(text));
    Some(Identity {
        user_id: given("UserId")?,
        account: given("Account")?,
        arn: given("Arn")?,
        request_id: child(root, "ResponseMetadata")
            .and_then(|metadata| child(metadata, "RequestId"))
            .map(|id| redactor.clean(text_of(id).unwrap_or_default())),
        status,
        headers: headers.into_iter().map(|(name, value)| (name, redactor.clean(value))).collect(),
    })
}

/// An answer from something that is not STS.
pub(super) fn not_sts(endpoint: &Endpoint, status: u16, well_formed: bool) -> StsFailure {
    StsFailure::NotSts { endpoint: endpoint.clone(), status, well_formed }
}

/// The one child element of a local name: botocore takes no notice of namespaces, and two of a name are one too many.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    let mut named = node.children().filter(|child| child.is_element() && child.tag_name().name() == name);
    named.next().filter(|_| named.next().is_none())
}

/// The text before the first child element, over comments, as ElementTree has it. `None` for an empty element.
fn text_of(node: Node) -> Option<String> {
    let before_elements = node.children().take_while(|child| !child.is_element());
    let text: String = before_elements.filter(Node::is_text).filter_map(|child| child.text()).collect();
    (!text.is_empty()).then_some(text)
}

/// The standard reason phrase of a status, as Python's `http.client.responses` has it; empty for an unknown one.
fn reason_phrase(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}
