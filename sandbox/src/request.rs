//! A request as it was received, without any decoding: the signature covers the bytes as sent.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};

use crate::response::Format;

/// One request, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub method: Method,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without its question mark; empty when there is none.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl From<Request<Bytes>> for Received {
    fn from(request: Request<Bytes>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            method: head.method,
            headers: head.headers,
            body,
        }
    }
}

impl Received {
    /// The first value of a header as text. Bytes that are not UTF-8 are replaced: the text is only shown.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// A parameter of the query, decoded.
    pub fn query_parameter(&self, name: &str) -> Option<String> {
        parameter(self.query.as_bytes(), name)
    }

    /// A parameter of the action, from the body of a POST or from the query of a GET. STS accepts both.
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.body, name).or_else(|| self.query_parameter(name))
    }

    /// All parameters, names and values.
    pub fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        let (body, query) =
            (form_urlencoded::parse(&self.body), form_urlencoded::parse(self.query.as_bytes()));
        body.chain(query).map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// JSON for a client whose `Accept` names it, XML for all others, `*/*` included.
    pub fn format(&self) -> Format {
        let accept = self.header(header::ACCEPT).unwrap_or_default();
        let mut types = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
        if types.any(|kind| kind.eq_ignore_ascii_case("application/json")) {
            Format::Json
        } else {
            Format::Xml
        }
    }
}

fn parameter(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
