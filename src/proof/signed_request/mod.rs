//! Signed requests: GetCallerIdentity requests that a caller signed and somebody else sends.
//!
//! A request is read ([`SignedRequest::from_token`] and similar functions; a request that cannot be read is
//! malformed), checked ([`SignedRequest::check`]; a request that is not a GetCallerIdentity for this service is
//! invalid), and built anew from the values ([`CheckedRequest::build`]), so that STS gets no byte that was not
//! checked. The steps, in their order:
//!
//! 1. the limits of length;
//! 2. strict decoding;
//! 3. the method and the body;
//! 4. the text of the URL, and its host;
//! 5. the parameters of the query, or the form of the `Authorization` header;
//! 6. the algorithm, the scope, and the time;
//! 7. the signed headers;
//! 8. the binding;
//! 9. single use ([`crate::proof::replay`]).

mod build;
mod headers;
mod iam_login;
mod signature;
mod url;

pub use iam_login::{HeaderMember, IamLogin};

use super::{ProofError, ProofFailure};
use crate::credentials::{EKS_TOKEN_PREFIX, ValidationError, masked_access_key};
use crate::sts::{StsHost, StsHosts};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use headers::SignedHeaders;
use signature::{Parameters, Signature};
use std::time::{Duration, SystemTime};
use url::UrlText;
use zeroize::Zeroizing;

const MAX_TOKEN_BYTES: usize = 12_288;
const MAX_URL_BYTES: usize = 8_192;

/// The body of a GetCallerIdentity request, the only one that is allowed.
pub(crate) const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

/// A header from the client: its name in lower case, and its value.
type Header = (String, Zeroizing<String>);

/// A signed request that could be read. It holds a signature and perhaps a session token, so it has no `Debug`.
pub struct SignedRequest {
    method: Zeroizing<String>,
    url: Zeroizing<String>,
    headers: Vec<Header>,
    body: Zeroizing<Vec<u8>>,
}

/// The rules that a signed request must satisfy.
#[derive(Debug, Clone)]
pub struct SignedRequestRules {
    /// The hosts that are allowed.
    pub hosts: StsHosts,
    /// The names of this service.
    pub audiences: Vec<String>,
    /// The maximum age of a signature.
    pub max_age: Duration,
}

/// A GetCallerIdentity request for this service, as the values that it is built from.
pub struct CheckedRequest {
    method: Method,
    /// The host that was signed.
    host: String,
    /// The region of the STS that it is for.
    region: String,
    signature: Signature,
    headers: SignedHeaders,
    /// The audiences to try, in order: one if the client gave the binding's value, all otherwise.
    audiences: Vec<String>,
    /// The time at which the signature expires.
    useful_until: SystemTime,
}

impl SignedRequest {
    /// Reads a token of `aws eks get-token`. `member` is the name under which it was posted.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] for a malformed token.
    pub fn from_token(token: &str, member: &'static str) -> Result<Self, ValidationError> {
        let malformed = |what| ValidationError::Invalid(member, what);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(malformed("must be at most 12288 characters"));
        }
        let encoded = token.strip_prefix(EKS_TOKEN_PREFIX).ok_or(malformed("must begin with k8s-aws-v1."))?;
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(encoded).map(Zeroizing::new);
        let decoded = decoded.map_err(|_| malformed("must be base64url without padding"))?;
        let url = std::str::from_utf8(&decoded).map_err(|_| malformed("must hold a URL"))?;
        Self::from_url(url, member)
    }

    /// Reads a presigned URL. `member` is the name under which it was posted.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] for a malformed URL.
    pub fn from_url(url: &str, member: &'static str) -> Result<Self, ValidationError> {
        check_url(url, member)?;
        Ok(Self {
            method: Zeroizing::new("GET".to_owned()),
            url: Zeroizing::new(url.to_owned()),
            headers: Vec::new(),
            body: Zeroizing::default(),
        })
    }

    /// Checks that this is a GetCallerIdentity request for this service, signed within the allowed time.
    ///
    /// # Errors
    ///
    /// The error of the first step that fails.
    pub fn check(&self, rules: &SignedRequestRules, now: SystemTime) -> Result<CheckedRequest, ProofFailure> {
        // It was read before, so this cannot fail.
        let url = UrlText::read(&self.url).map_err(|_| not_allowed("its URL cannot be read"))?;
        let method = self.check_method(&url)?;
        let region = check_host(method, &url, &rules.hosts)?;
        let parameters = Parameters::of(&url)?;
        let signature = match method {
            Method::Get => Signature::from_query(&parameters)?,
            Method::Post => Signature::from_headers(&self.headers)?,
        };
        if signature.region() != region {
            return Err(ProofError::RegionMismatch.into());
        }
        let useful_until = signature.check_time(rules.max_age, now)?;
        let headers = SignedHeaders::check(method, url.authority, &signature, &self.headers)?;
        let audiences = headers.check_binding(method, &rules.audiences)?;
        Ok(CheckedRequest {
            method,
            host: url.authority.to_owned(),
            region: region.to_owned(),
            signature,
            headers,
            audiences,
            useful_until,
        })
    }

    /// The access key ID in the signature's scope, if there is a well-formed signature.
    pub(super) fn access_key_id(&self) -> Option<String> {
        let signature = if self.headers.is_empty() {
            Signature::from_query(&Parameters::of(&UrlText::read(&self.url).ok()?).ok()?).ok()?
        } else {
            Signature::from_headers(&self.headers).ok()?
        };
        Some(signature.access_key_id().to_owned())
    }

    /// Step 3: the method and the body.
    fn check_method(&self, url: &UrlText<'_>) -> Result<Method, ProofError> {
        match self.method.as_str() {
            "POST" if url.query.is_some_and(|query| !query.is_empty()) => {
                Err(not_allowed("a POST must not have a query"))
            }
            "GET" if self.body.is_empty() => Ok(Method::Get),
            "GET" => Err(not_allowed("a GET must not have a body")),
            "POST" if *self.body == BODY.as_bytes() => Ok(Method::Post),
            "POST" => Err(not_allowed("its body is not that of GetCallerIdentity")),
            _ => Err(not_allowed("its method must be GET or POST")),
        }
    }
}

/// Step 4: checks the URL's text, and finds the region of its host.
fn check_host<'a>(method: Method, url: &UrlText<'_>, hosts: &'a StsHosts) -> Result<&'a str, ProofFailure> {
    let region = match hosts.get(url.authority) {
        StsHost::Allowed(region) => region,
        StsHost::RegionNotAllowed => return Err(ProofFailure::RegionNotAllowed),
        StsHost::Foreign => return Err(ProofError::EndpointNotAllowed.into()),
    };
    if url.scheme != "https" {
        return Err(not_allowed("its URL must begin with https://").into());
    }
    if url.has_fragment || !matches!(url.path, "" | "/") {
        return Err(not_allowed("its URL must not have a path or a fragment").into());
    }
    match (method, url.query) {
        (Method::Get, None) => Err(not_allowed("a GET must have its signature in the query").into()),
        _ => Ok(region),
    }
}

fn not_allowed(what: &'static str) -> ProofError {
    ProofError::RequestNotAllowed(what)
}

/// Checks a URL: RFC 3986's characters, a host, complete escapes, no duplicate parameters.
fn check_url(url: &str, member: &'static str) -> Result<(), ValidationError> {
    let malformed = |what| ValidationError::Invalid(member, what);
    if url.len() > MAX_URL_BYTES {
        return Err(malformed("must hold a URL of at most 8192 characters"));
    }
    let parameters = UrlText::read(url).and_then(|url| url.parameters());
    let parameters = parameters.map_err(|_| malformed("must hold a URL"))?;
    let mut names = Vec::with_capacity(parameters.len());
    for parameter in &parameters {
        let name = url::unescape(parameter.name).map_err(|_| malformed("must hold a URL"))?;
        names.push(name.to_ascii_lowercase());
    }
    names.sort_unstable();
    let doubled = names.windows(2).any(|pair| pair[0] == pair[1]);
    if doubled { Err(malformed("must hold a URL without duplicate parameters")) } else { Ok(()) }
}

impl CheckedRequest {
    /// The region of the STS that it is for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The host that was signed.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The access key ID of the signature's scope, masked for the log.
    #[must_use]
    pub fn masked_access_key(&self) -> String {
        masked_access_key(self.signature.access_key_id())
    }

    /// The audiences to try, in order, until the signature matches.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The time at which the signature expires.
    #[must_use]
    pub fn useful_until(&self) -> SystemTime {
        self.useful_until
    }
}

#[cfg(test)]
mod tests;
