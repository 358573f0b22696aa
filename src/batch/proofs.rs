//! The proofs in a list. They are checked as in the service, and STS is not called for an invalid one.

use super::answer::{Answer, Verdict};
use super::attempt::{Attempt, AttemptKind, failed};
use super::entry::ReadError;
use crate::credentials::PostedProof;
use crate::proof::token::VerifiedToken;
use crate::proof::{CheckedProof, ProofError, ProofFailure, ProofSettings, ProofVerifier};
use crate::sts::partitions::all_regions;
use crate::sts::{SetupError, StsFailure, StsSettings, Transport};
use std::time::SystemTime;
use tokio::time::Instant;

/// Makes the verifier for the proofs of a list. `all`: the operator gave no list of regions. Nothing is sent.
///
/// # Errors
///
/// The transport to issuers cannot be set up.
pub async fn verifier(
    settings: ProofSettings,
    mut sts: StsSettings,
    all: bool,
) -> Result<ProofVerifier, SetupError> {
    let transport = Transport::new(&sts)?;
    if all {
        sts.allowed_regions = all_regions().map(str::to_owned).collect();
    }
    Ok(ProofVerifier::new(settings, &sts, &transport).await)
}

/// Verifies a token. STS is not called.
pub(super) async fn verify_token(
    verifier: &ProofVerifier,
    token: &PostedProof,
    deadline: Instant,
) -> Attempt {
    let accept = verifier.settings().accept;
    match verifier.check(token, accept, SystemTime::now(), deadline).await {
        Ok(CheckedProof::Token(token)) => last(owner(&token)),
        // This cannot happen: the form was checked before.
        Ok(CheckedProof::SignedRequest(_)) => unreadable(ReadError::NotAToken),
        Err(ProofFailure::Invalid(error)) => last(invalid(error)),
        Err(ProofFailure::KeysUnavailable(failure)) => failed(&failure),
        Err(ProofFailure::Overloaded) => {
            failed(&StsFailure::Internal("the keys of too many issuers are being fetched"))
        }
        Err(failure) => unreadable(read_error(&failure)),
    }
}

/// The answer for an invalid proof.
pub(super) fn invalid(error: ProofError) -> Answer {
    Answer { verdict: error.verdict().into(), ..Answer::skipped(error.code(), &error.to_string()) }
}

/// Why a proof cannot be read as an entry. Used only for errors other than an invalid proof.
pub(super) fn read_error(failure: &ProofFailure) -> ReadError {
    match failure {
        ProofFailure::Malformed(error) => (*error).into(),
        ProofFailure::RegionNotAllowed => ReadError::Region,
        _ => ReadError::ProofNotAccepted,
    }
}

fn owner(token: &VerifiedToken) -> Answer {
    Answer {
        verdict: Verdict::Valid,
        account: Some(token.account.clone()),
        arn: Some(token.principal.to_string()),
        error_code: None,
        error_message: None,
        ..Answer::skipped("", "")
    }
}

fn last(answer: Answer) -> Attempt {
    Attempt { answer, kind: AttemptKind::Final }
}

fn unreadable(reason: ReadError) -> Attempt {
    Attempt { answer: Answer::skipped("", ""), kind: AttemptKind::Unreadable(reason) }
}
