//! The keys that sign tokens: RSA with 2048 bits and P-384, the same kinds as AWS's.

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Algorithm;
use crate::error::StsError;

/// The key IDs of AWS.
const RSA_ID: &str = "RSA_0";
const EC_ID: &str = "EC384_0";

pub(crate) struct SigningKeys {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl SigningKeys {
    /// Generates new keys. This takes up to a second.
    pub fn generate() -> Result<Self, StsError> {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failure)?;
        let ec = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failure)?;
        Ok(Self { rsa, ec })
    }

    /// The JWT with this payload.
    pub fn sign(&self, algorithm: Algorithm, payload: &str) -> Result<String, StsError> {
        let (kid, alg) = match algorithm {
            Algorithm::Rs256 => (RSA_ID, "RS256"),
            Algorithm::Es384 => (EC_ID, "ES384"),
        };
        let head = json!({"kid": kid, "typ": "JWT", "alg": alg}).to_string();
        let signed = format!("{}.{}", base64(head.as_bytes()), base64(payload.as_bytes()));
        let signature = self.signature(algorithm, signed.as_bytes()).map_err(failure)?;
        Ok(format!("{signed}.{}", base64(&signature)))
    }

    fn signature(&self, algorithm: Algorithm, signed: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)?;
                Ok(signature)
            }
            Algorithm::Es384 => Ok(self.ec.sign(&random, signed)?.as_ref().to_vec()),
        }
    }

    /// The public keys, as a JWK set (RFC 7517).
    pub fn public(&self) -> Value {
        // PKCS #1, DER: a sequence of two integers. For a modulus of 2048 bits the lengths before it take nine
        // bytes, with its leading zero. The public exponent is always 65537.
        let modulus = &self.rsa.public_key().as_ref()[9..][..256];
        // An uncompressed point: a byte that says so, then the coordinates.
        let (x, y) = self.ec.public_key().as_ref()[1..].split_at(48);
        json!({"keys": [
            {"e": "AQAB", "kid": RSA_ID, "kty": "RSA", "n": base64(modulus), "use": "sig"},
            {"alg": "ES384", "crv": "P-384", "kid": EC_ID, "kty": "EC", "use": "sig", "x": base64(x), "y": base64(y)},
        ]})
    }
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The system has no randomness or no memory left.
fn failure(_: Unspecified) -> StsError {
    StsError::internal_failure()
}
