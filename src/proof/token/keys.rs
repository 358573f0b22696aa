//! An issuer's public keys (RFC 7517), and what they verify.

use super::super::strict_json;
use super::jwt::{Algorithm, UnverifiedToken};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// More keys than an issuer of AWS has; what has more is not one.
const MAX_KEYS: usize = 16;

/// The bytes of a coordinate on P-384.
const P384_BYTES: usize = 48;

/// The keys of one issuer.
#[derive(Debug, Clone)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: String,
    algorithm: Algorithm,
    /// Parsed once: what a check has to work out of the key is most of its time.
    public: ParsedPublicKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The members of a key that count here. AWS's RSA key has no `alg`: the algorithm follows from `kty` and `crv`.
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
    /// Reads a key set. `None` for what is none, or has too many keys. Keys of other kinds are passed over: an issuer may
    /// publish them beside those that are used here.
    pub fn read(document: &[u8]) -> Option<Self> {
        let Document { keys } = serde_json::from_value(strict_json::read(document)?).ok()?;
        if keys.len() > MAX_KEYS {
            return None;
        }
        let read = |key| serde_json::from_value(key).ok().and_then(Jwk::into_key);
        Some(Self(keys.into_iter().filter_map(read).collect()))
    }

    /// Whether the token is signed by one of these keys: one with its key ID that is for its algorithm. AWS's key IDs are alike from
    /// key to key, so that several may have the same one.
    pub fn verifies(&self, token: &UnverifiedToken<'_>) -> bool {
        let UnverifiedToken { key_id, algorithm, signed, signature, .. } = token;
        let mut keys = self.0.iter().filter(|key| key.id == *key_id && key.algorithm == *algorithm);
        keys.any(|key| key.public.verify_sig(signed, signature).is_ok())
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
