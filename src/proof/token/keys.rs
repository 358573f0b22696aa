//! An issuer's public keys (RFC 7517), and what they verify.

use super::super::strict_json::is_strict;
use super::jwt::{Algorithm, UnverifiedToken};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
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
    public: PublicKey,
}

#[derive(Debug, Clone)]
enum PublicKey {
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
    /// An uncompressed point.
    P384(Vec<u8>),
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
        let strict = is_strict(document).then_some(document)?;
        let Document { keys } = serde_json::from_slice(strict).ok()?;
        if keys.len() > MAX_KEYS {
            return None;
        }
        let read = |key| serde_json::from_value(key).ok().and_then(Jwk::into_key);
        Some(Self(keys.into_iter().filter_map(read).collect()))
    }

    /// Whether the token is signed by one of these keys: one with its key ID that is for its algorithm. AWS's key IDs are alike from
    /// key to key, so that several may have the same one.
    pub fn verifies(&self, token: &UnverifiedToken<'_>) -> bool {
        self.0.iter().any(|key| key.id == token.key_id && key.public.verifies(token))
    }
}

impl Jwk {
    fn into_key(self) -> Option<Key> {
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let decode = |text: Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text?).ok();
        let public = match (self.kty.as_str(), self.crv.as_deref(), self.alg.as_deref()) {
            ("RSA", None, None | Some("RS256")) => PublicKey::Rsa(decode(self.n)?, decode(self.e)?),
            ("EC", Some("P-384"), None | Some("ES384")) => {
                let (x, y) = (decode(self.x)?, decode(self.y)?);
                if x.len() != P384_BYTES || y.len() != P384_BYTES {
                    return None;
                }
                PublicKey::P384([&[4][..], &x, &y].concat())
            }
            _ => return None,
        };
        for_signatures.then_some(Key { id: self.kid?, public })
    }
}

impl PublicKey {
    fn verifies(&self, token: &UnverifiedToken<'_>) -> bool {
        let UnverifiedToken { algorithm, signed, signature, .. } = token;
        let verified = match (self, algorithm) {
            (Self::Rsa(n, e), Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
            (Self::P384(point), Algorithm::Es384) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, signature)
            }
            _ => return false,
        };
        verified.is_ok()
    }
}
