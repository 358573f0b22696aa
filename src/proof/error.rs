//! Why a proof is not accepted. No text contains any part of the proof.

use crate::credentials::ValidationError;
use crate::sts::{StsFailure, Verdict};

/// A well-formed proof that is not valid for this service: the rows of the table in docs/proofs.md. STS was not
/// called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProofError {
    /// Made for another service, for several, or for none.
    #[error("The proof is not for this service.")]
    AudienceMismatch,
    /// Older than the operator allows, or past its expiry time.
    #[error("The proof is too old.")]
    Expired,
    /// Made for a time in the future.
    #[error("The proof is not valid yet.")]
    NotYetValid,
    /// Single use is on, and the proof was used before.
    #[error("The proof was used before.")]
    Replayed,
    /// The URL is not one of STS in a partition that this service uses.
    #[error("The signed request is not for an endpoint of STS that this service calls.")]
    EndpointNotAllowed,
    /// The signature's scope names another region than the host.
    #[error("The signature is for another region than the host of the signed request.")]
    RegionMismatch,
    /// It contains something that a GetCallerIdentity request does not. The text says what.
    #[error("The signed request is not a plain GetCallerIdentity request: {0}.")]
    RequestNotAllowed(&'static str),
    /// The issuer is not one that the operator accepts.
    #[error("The token's issuer is not one that this service accepts.")]
    IssuerNotAllowed,
    /// The signature, the key or the algorithm is wrong.
    #[error("The token's signature does not match any of its issuer's keys.")]
    SignatureMismatch,
    /// Its head or claims differ from those of AWS's tokens. The text says what.
    #[error("The token is not one of AWS's: {0}.")]
    TokenNotAllowed(&'static str),
}

impl ProofError {
    /// One of each, for the documentation.
    pub const EXAMPLES: [Self; 10] = [
        Self::AudienceMismatch,
        Self::Expired,
        Self::NotYetValid,
        Self::Replayed,
        Self::EndpointNotAllowed,
        Self::RegionMismatch,
        Self::RequestNotAllowed("it is for another action or version"),
        Self::IssuerNotAllowed,
        Self::SignatureMismatch,
        Self::TokenNotAllowed("alg must be RS256 or ES384"),
    ];

    /// The error code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AudienceMismatch => "AudienceMismatch",
            Self::Expired => "ProofExpired",
            Self::NotYetValid => "ProofNotYetValid",
            Self::Replayed => "ProofReplayed",
            Self::EndpointNotAllowed => "EndpointNotAllowed",
            Self::RegionMismatch => "RegionMismatch",
            Self::RequestNotAllowed(_) => "RequestNotAllowed",
            Self::IssuerNotAllowed => "IssuerNotAllowed",
            Self::SignatureMismatch => "SignatureMismatch",
            Self::TokenNotAllowed(_) => "TokenNotAllowed",
        }
    }

    /// Invalid, except for the three that a wrong clock or a repeated request may cause.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Expired | Self::NotYetValid | Self::Replayed => Verdict::Indeterminate,
            _ => Verdict::Invalid,
        }
    }
}

/// Why a proof could not be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFailure {
    /// It is malformed.
    #[error(transparent)]
    Malformed(#[from] ValidationError),
    /// It is well-formed, but not valid for this service.
    #[error(transparent)]
    Invalid(#[from] ProofError),
    /// It is for a region that the operator does not allow.
    #[error("the region is not allowed")]
    RegionNotAllowed,
    /// The operator does not accept proofs of this kind.
    #[error("this kind of proof is not accepted")]
    NotAccepted,
    /// The issuer's keys are not available.
    #[error(transparent)]
    KeysUnavailable(#[from] StsFailure),
    /// The keys of too many issuers are being fetched.
    #[error("the keys of too many issuers are being fetched")]
    Overloaded,
    /// The store of used proofs cannot be reached.
    #[error("the store of used proofs cannot be reached")]
    ReplayStoreUnavailable,
}
