//! The signed headers, and the one among them that names the audience (the binding): steps 7 and 8 of a signed
//! request.

use super::signature::{EMPTY_SHA256, Signature};
use super::{BODY, Header, Method, not_allowed};
use crate::proof::ProofError;
use zeroize::Zeroizing;

/// The headers that can name the audience: ours, that of Vault and OpenBao, Consul's, and EKS's.
const BINDINGS: [&str; 4] =
    ["x-consul-iam-serverid", "x-k8s-aws-id", "x-sts-verify-audience", "x-vault-aws-iam-server-id"];

/// The other headers that a GetCallerIdentity request may have signed.
const ALLOWED: [&str; 10] = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-user-agent",
];

/// The prefix of the headers with which Consul requests the entity's tags: they are for another request, signed
/// by the same login.
const CONSUL_ENTITY: &str = "x-consul-iam-getentity-";

/// SHA-256 of [`BODY`], in hexadecimal.
const BODY_SHA256: &str = "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843";

/// The signed headers with their values. They may hold a session token, so there is no `Debug`.
pub(super) struct SignedHeaders {
    /// Ordered by name. `Host` and a binding without a value are not among them.
    pub headers: Vec<Header>,
    /// The name of the binding, if exactly one is signed.
    binding: Option<&'static str>,
}

impl SignedHeaders {
    /// Step 7: every signed header is present and is allowed in a GetCallerIdentity request.
    pub fn check(
        method: Method,
        host: &str,
        signature: &Signature,
        headers: &[Header],
    ) -> Result<Self, ProofError> {
        let names = &signature.signed_headers;
        let get =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        check_names(method, names, headers)?;
        if get("host").is_some_and(|value| value != host) {
            return Err(not_allowed("its Host differs from that of its URL"));
        }
        if method == Method::Get && signature.session_token.is_some() && get("x-amz-security-token").is_some()
        {
            return Err(not_allowed("it has two session tokens"));
        }
        let bindings: Vec<&str> =
            BINDINGS.into_iter().filter(|name| names.iter().any(|signed| signed == name)).collect();
        let mut signed = Vec::with_capacity(names.len());
        for name in names.iter().filter(|name| *name != "host") {
            match get(name) {
                Some(value) => {
                    check_value(method, name, value, signature)?;
                    signed.push((name.clone(), Zeroizing::new(value.to_owned())));
                }
                None if bindings.contains(&name.as_str()) => {}
                None => return Err(not_allowed("a signed header is missing")),
            }
        }
        let binding = match bindings[..] {
            [one] => Some(one),
            _ => None,
        };
        Ok(Self { headers: signed, binding })
    }

    /// Step 8: exactly one binding is signed, and it names this service. Returns the audiences to try.
    pub fn check_binding(&self, method: Method, audiences: &[String]) -> Result<Vec<String>, ProofError> {
        let binding = self.binding.ok_or(ProofError::AudienceMismatch)?;
        match self.headers.iter().find(|(name, _)| name == binding) {
            Some((_, value)) => {
                let audience = audiences.iter().find(|audience| **audience == **value);
                audience.map(|audience| vec![audience.clone()]).ok_or(ProofError::AudienceMismatch)
            }
            // The signature covers its value, and STS rejects any other value than the service's.
            None if method == Method::Get => Ok(audiences.to_vec()),
            None => Err(ProofError::AudienceMismatch),
        }
    }

    /// The binding's name, if the service has to add the header with its value.
    pub fn open_binding(&self) -> Option<&'static str> {
        self.binding.filter(|binding| !self.headers.iter().any(|(name, _)| name == binding))
    }
}

/// Checks the list of signed headers: lower case, sorted, no duplicates, and only allowed names.
fn check_names(method: Method, names: &[String], headers: &[Header]) -> Result<(), ProofError> {
    let signs = |wanted: &str| names.iter().any(|name| name == wanted);
    let has = |wanted: &str| headers.iter().any(|(name, _)| name == wanted);
    if !names.is_sorted_by(|one, other| one < other) {
        return Err(not_allowed("its signed headers must be sorted and without duplicates"));
    }
    let entity = headers.iter().any(|(name, _)| name.starts_with(CONSUL_ENTITY));
    let known = |name: &String| ALLOWED.contains(&name.as_str()) || BINDINGS.contains(&name.as_str());
    if entity || !names.iter().all(known) {
        return Err(not_allowed("it has a signed header that a GetCallerIdentity does not need"));
    }
    if !signs("host") || (method == Method::Post && !signs("x-amz-date")) {
        return Err(not_allowed("its signature does not cover Host and X-Amz-Date"));
    }
    if has("x-amz-security-token") && !signs("x-amz-security-token") {
        return Err(not_allowed("its signature does not cover its session token"));
    }
    Ok(())
}

/// Checks values that are determined by the request.
fn check_value(method: Method, name: &str, value: &str, signature: &Signature) -> Result<(), ProofError> {
    let (length, digest) = match method {
        Method::Get => (0, EMPTY_SHA256),
        Method::Post => (BODY.len(), BODY_SHA256),
    };
    let good = match name {
        "content-length" => *value == length.to_string(),
        "content-type" => is_form(value),
        "x-amz-content-sha256" => value == digest,
        "x-amz-date" => value == signature.timestamp(),
        _ => true,
    };
    if good { Ok(()) } else { Err(not_allowed("a signed header does not match its body or its date")) }
}

/// `application/x-www-form-urlencoded`, with or without a charset.
fn is_form(value: &str) -> bool {
    let mime: Result<mime::Mime, _> = value.parse();
    mime.is_ok_and(|mime| {
        mime.essence_str() == mime::APPLICATION_WWW_FORM_URLENCODED.essence_str()
            && mime.params().all(|(name, _)| name == mime::CHARSET)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn the_digests_are_those_of_the_bodies() {
        assert_eq!(hex::encode(Sha256::digest(BODY)), BODY_SHA256);
        assert_eq!(hex::encode(Sha256::digest("")), EMPTY_SHA256);
    }
}
