//! Why a proof is not accepted. No text of it holds any part of the proof.

use crate::credentials::ValidationError;
use crate::sts::{StsFailure, Verdict};

/// A proof that can be read and is none for this service: the rows of proofs.md's table. STS was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProofError {
    /// Made out for another service, for several, or for nobody.
    #[error("The proof is not made out for this service.")]
    AudienceMismatch,
    /// Older than the operator allows, or past its own end.
    #[error("The proof is too old.")]
    Expired,
    /// Made out for a time that has not come.
    #[error("The proof is not valid yet.")]
    NotYetValid,
    /// Single use is on, and it was used before.
    #[error("The proof was used before.")]
    Replayed,
    /// The URL is not one of STS's in a partition that is asked.
    #[error("The signed request is not made out for an endpoint of STS that this service asks.")]
    EndpointNotAllowed,
    /// The signature's scope names another region than the host.
    #[error("The signature is for another region than the host of the signed request.")]
    RegionMismatch,
    /// Something in it that a GetCallerIdentity request does not have. The text says what.
    #[error("The signed request is not a plain GetCallerIdentity request: {0}.")]
    RequestNotAllowed(&'static str),
    /// An issuer that is not one of the operator's.
    #[error("The token's issuer is not one that this service accepts.")]
    IssuerNotAllowed,
    /// The signature, the key or the algorithm is wrong.
    #[error("The token's signature does not match any of its issuer's keys.")]
    SignatureMismatch,
    /// A head or claims that AWS's tokens do not have. The text says what.
    #[error("The token is not one of AWS's: {0}.")]
    TokenNotAllowed(&'static str),
}

impl ProofError {
    /// One of each, for documentation.
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

    /// Invalid, but for the three that may be the fault of a clock or an honest repeat.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Expired | Self::NotYetValid | Self::Replayed => Verdict::Indeterminate,
            _ => Verdict::Invalid,
        }
    }
}

/// Why nothing good can be said of a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFailure {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] ValidationError),
    /// It can be read, and is none for this service.
    #[error(transparent)]
    Refused(#[from] ProofError),
    /// It is for a region that the operator does not allow.
    #[error("the region is not allowed")]
    RegionNotAllowed,
    /// The operator does not accept proofs of this kind.
    #[error("this kind of proof is not accepted")]
    NotAccepted,
    /// The issuer's keys cannot be had.
    #[error(transparent)]
    KeysUnavailable(#[from] StsFailure),
    /// Too many issuers are being asked for their keys.
    #[error("too many issuers are being asked for their keys")]
    Overloaded,
    /// The store of used proofs cannot be asked.
    #[error("the store of used proofs cannot be asked")]
    ReplayStoreUnavailable,
}
