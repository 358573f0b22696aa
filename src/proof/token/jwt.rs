//! The parts of a JWT (RFC 7519, in the compact form of RFC 7515), read strictly and not verified yet.

use super::super::{ProofError, ProofFailure, strict_json::read_object};
use crate::credentials::ValidationError;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

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

/// A token that was read but not verified.
pub(super) struct UnverifiedToken<'a> {
    pub algorithm: Algorithm,
    pub key_id: String,
    /// The payload as it was signed.
    pub payload: String,
    /// The payload, parsed.
    pub claims: Map<String, Value>,
    /// The bytes that the signature covers.
    pub signed: &'a [u8],
    pub signature: Vec<u8>,
}

impl<'a> UnverifiedToken<'a> {
    /// Step 1 of a token: splits it and checks its head. `member` is the name under which it was posted.
    pub fn read(token: &'a str, member: &'static str) -> Result<Self, ProofFailure> {
        let malformed = |what| ProofFailure::from(ValidationError::Invalid(member, what));
        if token.len() > MAX_TOKEN_BYTES {
            return Err(malformed("must be at most 16384 characters"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [head, payload, signature] = parts[..] else {
            return Err(malformed("must be a JWT of three parts"));
        };
        let payload_length = payload.len();
        let decode = |part: &str| {
            BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed("must be base64url without padding"))
        };
        let (head_json, payload_json, signature_bytes) =
            (decode(head)?, decode(payload)?, decode(signature)?);
        let object = |json: &[u8]| {
            read_object(json).ok_or_else(|| malformed("must hold JSON objects without duplicate members"))
        };
        let (head_members, claims) = (object(&head_json)?, object(&payload_json)?);
        let payload = String::from_utf8(payload_json).map_err(|_| malformed("must be UTF-8"))?;
        let (algorithm, key_id) = check_head(&head_members)?;
        let signed = &token.as_bytes()[..head.len() + 1 + payload_length];
        Ok(Self { algorithm, key_id, payload, claims, signed, signature: signature_bytes })
    }
}

fn check_head(head: &Map<String, Value>) -> Result<(Algorithm, String), ProofError> {
    if FORBIDDEN_MEMBERS.iter().any(|name| head.contains_key(*name)) {
        return Err(ProofError::TokenNotAllowed("its head has crit, jku, jwk, x5u or x5c"));
    }
    let algorithm = match head.get("alg").and_then(Value::as_str) {
        Some("RS256") => Algorithm::Rs256,
        Some("ES384") => Algorithm::Es384,
        _ => return Err(ProofError::TokenNotAllowed("alg must be RS256 or ES384")),
    };
    let key_id = head.get("kid").and_then(Value::as_str);
    let key_id = key_id.ok_or(ProofError::TokenNotAllowed("kid must be a string"))?;
    Ok((algorithm, key_id.to_owned()))
}
