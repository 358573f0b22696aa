//! The parts of a JWT (RFC 7519, in the compact form of RFC 7515), read strictly and not verified yet.

use super::super::{
    ProofError, ProofFailure,
    strict_json::{Object, read_object},
};
use crate::credentials::ValidationError;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The maximum length of a token.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The members of a head with which a token would choose its own key, and the one that changes what is signed
/// (RFC 7515, section 4.1).
const FORBIDDEN_MEMBERS: [&str; 5] = ["crit", "jku", "jwk", "x5u", "x5c"];

/// The algorithms of AWS's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

/// The decoded parts of a token.
pub(super) struct TokenParts<'a> {
    head: Vec<u8>,
    /// The payload as it was signed.
    pub payload: String,
    pub signature: Vec<u8>,
    /// The bytes that the signature covers.
    pub signed: &'a [u8],
    /// The name under which the token was posted.
    member: &'static str,
}

/// A token that was read but not verified.
pub(super) struct UnverifiedToken<'a> {
    pub parts: &'a TokenParts<'a>,
    pub algorithm: Algorithm,
    pub key_id: String,
    /// The payload, parsed.
    pub claims: Object<'a>,
}

fn malformed(member: &'static str, what: &'static str) -> ProofFailure {
    ValidationError::Invalid(member, what).into()
}

impl<'a> TokenParts<'a> {
    /// Splits a token. `member` is the name under which it was posted.
    pub fn decode(token: &'a str, member: &'static str) -> Result<Self, ProofFailure> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(malformed(member, "must be at most 16384 characters"));
        }
        let parts = token.split_once('.').and_then(|(head, rest)| Some((head, rest.split_once('.')?)));
        let Some((head, (payload, signature))) = parts.filter(|(_, (_, last))| !last.contains('.')) else {
            return Err(malformed(member, "must be a JWT of three parts"));
        };
        let decode = |part: &str| {
            let decoded = BASE64_URL_SAFE_NO_PAD.decode(part);
            decoded.map_err(|_| malformed(member, "must be base64url without padding"))
        };
        let signed = &token.as_bytes()[..head.len() + 1 + payload.len()];
        let (head, payload, signature) = (decode(head)?, decode(payload)?, decode(signature)?);
        let payload = String::from_utf8(payload).map_err(|_| malformed(member, "must be UTF-8"))?;
        Ok(Self { head, payload, signature, signed, member })
    }
}

impl<'a> UnverifiedToken<'a> {
    /// Step 1 of a token: reads its parts and checks its head.
    pub fn read(parts: &'a TokenParts<'a>) -> Result<Self, ProofFailure> {
        let object = |json| {
            let object = read_object(json);
            object.ok_or_else(|| malformed(parts.member, "must hold JSON objects without duplicate members"))
        };
        let (head, claims) = (object(&parts.head)?, object(parts.payload.as_bytes())?);
        let (algorithm, key_id) = check_head(&head)?;
        Ok(Self { parts, algorithm, key_id, claims })
    }
}

fn check_head(head: &Object<'_>) -> Result<(Algorithm, String), ProofError> {
    if FORBIDDEN_MEMBERS.iter().any(|name| head.get(name).is_some()) {
        return Err(ProofError::TokenNotAllowed("its head has crit, jku, jwk, x5u or x5c"));
    }
    let algorithm = match head.text("alg") {
        Some("RS256") => Algorithm::Rs256,
        Some("ES384") => Algorithm::Es384,
        _ => return Err(ProofError::TokenNotAllowed("alg must be RS256 or ES384")),
    };
    let key_id = head.text("kid").ok_or(ProofError::TokenNotAllowed("kid must be a string"))?;
    Ok((algorithm, key_id.to_owned()))
}
