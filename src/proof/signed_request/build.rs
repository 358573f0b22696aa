//! Builds the request for STS anew from the values that were read.

use super::headers::SignedHeaders;
use super::signature::{ALGORITHM, Signature};
use super::{BODY, CheckedRequest, Method};
use crate::proof::replay;
use crate::sts::{SignedCall, StsCall};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// The characters that are not escaped in a query's value (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");

impl CheckedRequest {
    /// The call to STS that finds out who signed the request, for one of the audiences.
    ///
    /// # Errors
    ///
    /// A value cannot be sent. Reading the request has excluded this.
    pub fn call(&self, audience: &str) -> Result<StsCall, http::Error> {
        let signature = self.signature.value().clone();
        // A GET may have the session token among its headers.
        let in_header = self.headers.headers.iter().find(|(name, _)| name == "x-amz-security-token");
        let in_header = in_header.map(|(_, value)| SecretString::from(value.as_str()));
        let token = self.signature.session_token.clone().or(in_header);
        Ok(StsCall::Signed(Box::new(SignedCall::new(self.build(audience)?, signature, token))))
    }

    /// The request to send, for one of the audiences. Its headers are marked as sensitive.
    ///
    /// # Errors
    ///
    /// A value cannot be sent. Reading the request has excluded this.
    pub fn build(&self, audience: &str) -> Result<Request<&'static str>, http::Error> {
        let Self { method, host, signature, headers, .. } = self;
        let (request, body) = match method {
            Method::Get => (Request::get(format!("https://{host}/?{}", *query(signature))), ""),
            Method::Post => {
                let authorization = sensitive(&authorization(signature))?;
                (Request::post(format!("https://{host}/")).header(AUTHORIZATION, authorization), BODY)
            }
        };
        let mut request = request.header(HOST, host).body(body)?;
        add_headers(&mut request, headers, audience)?;
        if *method == Method::Post {
            request.headers_mut().entry(CONTENT_TYPE).or_insert(FORM);
        }
        Ok(request)
    }

    /// The digest that identifies the proof for single use: the SHA-256 of its scope, date and signature.
    #[must_use]
    pub fn replay_id(&self) -> [u8; 32] {
        let signature = self.signature.value().expose_secret();
        replay::digest(&[&self.signature.credential(), self.signature.timestamp(), signature])
    }
}

fn add_headers<B>(
    request: &mut Request<B>,
    headers: &SignedHeaders,
    audience: &str,
) -> Result<(), http::Error> {
    let signed = headers.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let binding = headers.open_binding().map(|name| (name, audience));
    for (name, value) in signed.chain(binding) {
        request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes())?, sensitive(value)?);
    }
    Ok(())
}

fn sensitive(value: &str) -> Result<HeaderValue, http::Error> {
    let mut value = HeaderValue::from_str(value)?;
    value.set_sensitive(true);
    Ok(value)
}

fn authorization(signature: &Signature) -> Zeroizing<String> {
    let names = signature.signed_headers.join(";");
    let value = signature.value().expose_secret();
    Zeroizing::new(format!(
        "{ALGORITHM} Credential={}, SignedHeaders={names}, Signature={value}",
        signature.credential()
    ))
}

/// The query of a presigned URL. STS sorts the parameters before it checks a signature, so their order does not
/// matter.
fn query(signature: &Signature) -> Zeroizing<String> {
    let credential = signature.credential();
    let names = signature.signed_headers.join(";");
    let token = signature.session_token.as_ref().map(|token| ("X-Amz-Security-Token", token.expose_secret()));
    let fixed = [
        ("Action", "GetCallerIdentity"),
        ("Version", "2011-06-15"),
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", signature.timestamp()),
        ("X-Amz-SignedHeaders", &names),
    ];
    let others = signature.others.iter().map(|(name, value)| (*name, value.as_str()));
    let last = [("X-Amz-Signature", signature.value().expose_secret())];
    let mut query =
        Zeroizing::new(String::with_capacity(1_024 + 3 * token.map_or(0, |(_, token)| token.len())));
    for (name, value) in fixed.into_iter().chain(others).chain(token).chain(last) {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.extend(utf8_percent_encode(value, RESERVED));
    }
    query
}
