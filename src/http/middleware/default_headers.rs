//! The headers that every response has.

use crate::config::HttpArgs;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

/// The response header that marks answers of the sandbox.
pub const SANDBOX_HEADER: HeaderName = HeaderName::from_static("x-sts-sandbox");

/// A policy for responses that are not pages: they may load nothing.
const NO_CONTENT_AT_ALL: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// For a year a browser that once had TLS from this host uses nothing else.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The headers of every response, unless its handler sets them.
pub(crate) fn default_headers(http: &HttpArgs, sandbox: bool) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, NO_CONTENT_AT_ALL),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    if http.tls_cert_file.is_some() {
        // RFC 6797, section 7.2: must not be sent over plain HTTP.
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    if sandbox {
        headers.insert(SANDBOX_HEADER, HeaderValue::from_static("true"));
    }
    headers
}

/// Adds the headers that a response does not have.
pub(crate) fn complete(mut response: Response, headers: &HeaderMap) -> Response {
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}
