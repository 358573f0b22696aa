//! An issuer's public keys (RFC 7517), and the verification of signatures with them.

use super::super::strict_json;
use super::jwt::{Algorithm, UnverifiedToken};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// More keys than any issuer of AWS has. A larger key set is rejected.
const MAX_KEYS: usize = 16;

/// The length of a coordinate on P-384 in bytes.
const P384_BYTES: usize = 48;

/// The keys of one issuer.
#[derive(Debug, Clone)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: String,
    algorithm: Algorithm,
    /// Parsed once, because parsing takes most of the time of a verification.
    public: ParsedPublicKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The members of a key that are used. AWS's RSA key has no `alg`: the algorithm follows from `kty` and `crv`.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Parses a key set. `None` if it is malformed or has too many keys. Keys of other kinds are ignored: an
    /// issuer may publish them beside those that are used here.
    pub fn read(document: &[u8]) -> Option<Self> {
        strict_json::read(document)?;
        let Document { keys } = serde_json::from_slice(document).ok()?;
        if keys.len() > MAX_KEYS {
            return None;
        }
        let read = |key| serde_json::from_value(key).ok().and_then(Jwk::into_key);
        Some(Self(keys.into_iter().filter_map(read).collect()))
    }

    /// Whether the token is signed with one of these keys: one with its key ID and its algorithm. Several keys
    /// may have the same ID, because AWS's key IDs do not differ from key to key.
    pub fn verifies(&self, token: &UnverifiedToken<'_>) -> bool {
        let UnverifiedToken { key_id, algorithm, parts, .. } = token;
        let mut keys = self.0.iter().filter(|key| key.id == *key_id && key.algorithm == *algorithm);
        keys.any(|key| key.public.verify_sig(parts.signed, &parts.signature).is_ok())
    }
}

impl Jwk {
    fn into_key(self) -> Option<Key> {
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let decode = |text: Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text?).ok();
        let (algorithm, public) = match (self.kty.as_str(), self.crv.as_deref(), self.alg.as_deref()) {
            ("RSA", None, None | Some("RS256")) => {
                let components = RsaPublicKeyComponents { n: decode(self.n)?, e: decode(self.e)? };
                (Algorithm::Rs256, components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256))
            }
            ("EC", Some("P-384"), None | Some("ES384")) => {
                let (x, y) = (decode(self.x)?, decode(self.y)?);
                if x.len() != P384_BYTES || y.len() != P384_BYTES {
                    return None;
                }
                let point = [&[4][..], &x, &y].concat();
                (Algorithm::Es384, ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point))
            }
            _ => return None,
        };
        for_signatures.then_some(Key { id: self.kid?, algorithm, public: public.ok()? })
    }
}
