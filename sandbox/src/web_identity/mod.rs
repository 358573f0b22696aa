//! Web identity tokens: the JWTs of GetWebIdentityToken, and the documents for verifying them.
//!
//! The claims, the documents and the errors were recorded from AWS in September 2026, except where a comment
//! says otherwise. AWS gives each account its own issuer; here the sandbox is the issuer of all.

mod claims;
mod keys;
mod parameters;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use self::keys::SigningKeys;
use crate::{
    caller::{Behaviour, Caller},
    error::StsError,
    request::Received,
};

pub(crate) use self::parameters::Parameters;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/.well-known/jwks.json";

/// The maximum length of a payload that AWS signs, in bytes of its JSON.
const LONGEST_PAYLOAD: usize = 14_984;

/// The remaining time of every session, since none of them ends.
const SESSION: Duration = Duration::HOUR;

/// How long ago an expired token was issued: longer than the validity of any token.
const LONG_AGO: Duration = Duration::hours(2);

/// A time in the response to GetWebIdentityToken: RFC 3339 in milliseconds.
const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The signature algorithms of AWS's JWTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Es384,
}

/// Issues tokens, and publishes the documents for verifying them.
pub(crate) struct Issuer {
    url: String,
    /// Made on first use, because that takes up to a second.
    keys: Mutex<Option<Arc<SigningKeys>>>,
}

/// The result of GetWebIdentityToken.
#[derive(Debug)]
pub(crate) struct Token {
    pub jwt: String,
    /// RFC 3339, in milliseconds.
    pub expiration: String,
}

impl Issuer {
    /// The issuer with this URL as the `iss` of its tokens.
    pub fn new(url: String) -> Self {
        Self { url, keys: Mutex::default() }
    }

    /// Whether this request needs keys that do not exist yet. Does not wait for keys that are being made.
    pub fn lacks_keys_for(&self, request: &Received) -> bool {
        let needed =
            request.path == KEYS || request.parameter("Action").as_deref() == Some("GetWebIdentityToken");
        needed && self.keys.try_lock().map_or(true, |keys| keys.is_none())
    }

    /// The keys, which are made if there are none yet.
    pub fn keys(&self) -> Result<Arc<SigningKeys>, StsError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = &*keys {
            return Ok(keys.clone());
        }
        Ok(keys.insert(Arc::new(SigningKeys::generate()?)).clone())
    }

    /// Replaces the keys. Like AWS's key IDs, those of the new keys are the same as those of the old ones.
    pub fn rotate_keys(&self) -> Result<(), StsError> {
        let new = Arc::new(SigningKeys::generate()?);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
        Ok(())
    }

    /// The document at a path, if there is one: the discovery document or the public keys.
    ///
    /// As in AWS's document, there is no `authorization_endpoint`. AWS's RSA key had no `alg` at first, and has
    /// one now. This one has none, which reveals a receiver that requires it.
    pub fn document(&self, path: &str) -> Option<Result<Value, StsError>> {
        let issuer = &self.url;
        match path {
            DISCOVERY => Some(Ok(json!({
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "jti", claims::NAMESPACE],
                "id_token_signing_alg_values_supported": ["RS256", "ES384"],
                "issuer": issuer,
                "jwks_uri": format!("{issuer}{KEYS}"),
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
            }))),
            KEYS => Some(self.keys().map(|keys| keys.public())),
            _ => None,
        }
    }

    /// Issues a token to a caller in `region` at `now`.
    ///
    /// AWS issues none to federated users (`AccessDenied`, "GetWebIdentityToken does not support federated user
    /// sessions"); here every valid caller can have one.
    pub fn token(
        &self,
        caller: &Caller,
        parameters: &Parameters,
        region: &str,
        now: OffsetDateTime,
    ) -> Result<Token, StsError> {
        let session_ends = caller.session_token.is_some().then(|| now + SESSION);
        if session_ends.is_some_and(|end| now + parameters.duration >= end) {
            return Err(StsError::session_duration_escalation());
        }
        if caller.behaviour == Behaviour::FederationDisabled {
            return Err(StsError::federation_disabled());
        }
        let issued = if caller.behaviour == Behaviour::TokensExpired { now - LONG_AGO } else { now };
        let expiration = issued + parameters.duration;
        let source = claims::Source { caller, parameters, issuer: &self.url, region, session_ends };
        let payload = source.claims(issued, expiration).to_string();
        if payload.len() > LONGEST_PAYLOAD {
            return Err(StsError::payload_size_exceeded());
        }
        let jwt = self.keys()?.sign(parameters.algorithm, &payload)?;
        Ok(Token { jwt, expiration: expiration.format(MILLISECONDS).unwrap_or_default() })
    }
}
