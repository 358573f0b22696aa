//! Web identity tokens: the JWTs of `sts:GetWebIdentityToken`, verified with their issuer's keys. STS is not
//! called.
//!
//! The steps are:
//!
//! 1. the three parts, without repeated members, and the algorithm (`jwt`);
//! 2. the issuer;
//! 3. the signature, with the issuer's keys (`issuers`, `keys`);
//! 4. the audience and the times (`claims`);
//! 5. the account and the principal (`claims`);
//! 6. single use ([`crate::proof::replay`]).
//!
//! Step 3 comes after step 5, so that a token that is forged or expired does not cause keys to be fetched.

mod accepted;
mod claims;
mod issuers;
mod jwt;
mod keys;

pub use accepted::{AcceptedIssuers, partition_of_issuer};

use super::{ProofError, ProofFailure, replay};
use crate::identity::CallerArn;
use crate::sts::Transport;
use claims::{Claims, Expected};
use issuers::Issuers;
use jwt::{TokenParts, UnverifiedToken};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// The rules that tokens must satisfy.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// The names of this service.
    pub audiences: Vec<String>,
    /// Whose tokens are accepted.
    pub issuers: AcceptedIssuers,
    /// How old a token may be.
    pub max_age: Duration,
    /// The partition of issuers whose host does not have AWS's form.
    pub default_partition: String,
    /// The time limit for reading an issuer's keys once.
    pub timeout: Duration,
}

/// Verifies tokens.
pub struct TokenVerifier {
    settings: TokenSettings,
    issuers: Issuers,
}

/// A valid token, with its claims.
#[derive(Debug)]
pub struct VerifiedToken {
    /// The twelve digits of the account.
    pub account: String,
    /// The owner of the token.
    pub principal: CallerArn,
    /// The organisation of the account.
    pub org_id: Option<String>,
    /// Its paths in the organisation.
    pub org_paths: Vec<String>,
    /// The issuer.
    pub issuer: String,
    /// The claim `jti`, which CloudTrail calls `webIdentityTokenId`.
    pub token_id: String,
    /// The payload as it was signed: JSON without duplicate members.
    pub claims: String,
    /// The time at which the token expires.
    pub useful_until: SystemTime,
}

impl TokenVerifier {
    /// A verifier that reads keys over this transport. Nothing is sent yet.
    #[must_use]
    pub fn new(settings: TokenSettings, transport: Transport) -> Self {
        let issuers = Issuers::new(transport, settings.timeout);
        Self { settings, issuers }
    }

    /// Verifies a token. `member` is the name under which it was posted.
    ///
    /// # Errors
    ///
    /// Why the token is not valid, or why that cannot be found out.
    pub async fn verify(
        &self,
        token: &str,
        member: &'static str,
        now: SystemTime,
        deadline: Instant,
    ) -> Result<VerifiedToken, ProofFailure> {
        let parts = TokenParts::decode(token, member)?;
        let token = UnverifiedToken::read(&parts)?;
        let issuer = token.claims.text("iss").filter(|issuer| self.settings.issuers.accepts(issuer));
        let issuer = issuer.ok_or(ProofError::IssuerNotAllowed)?.to_owned();
        let expected = Expected {
            audiences: &self.settings.audiences,
            max_age: self.settings.max_age,
            partition: partition_of_issuer(&issuer).unwrap_or(&self.settings.default_partition),
            now: now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed()),
        };
        let claims = Claims::read(&token.claims, &expected)?;
        self.issuers.verify(&issuer, &token, deadline).await?;
        Ok(VerifiedToken {
            account: claims.account,
            principal: claims.principal,
            org_id: claims.org_id,
            org_paths: claims.org_paths,
            issuer,
            token_id: claims.token_id,
            useful_until: UNIX_EPOCH + Duration::from_secs(claims.useful_until.max(0).unsigned_abs()),
            claims: parts.payload,
        })
    }
}

impl VerifiedToken {
    /// The digest that identifies the token for single use: the SHA-256 of its issuer and its id, each preceded
    /// by its length.
    #[must_use]
    pub fn replay_id(&self) -> [u8; 32] {
        replay::digest(&[&self.issuer, &self.token_id])
    }
}

#[cfg(test)]
mod tests;
