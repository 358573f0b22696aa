//! Proofs in a list: they are checked as the service checks them, and nobody is asked about one that is refused.

use super::answer::{Answer, Verdict};
use super::ask::{Attempt, AttemptKind, failed};
use super::entry::ReadError;
use crate::credentials::PostedProof;
use crate::proof::token::VerifiedToken;
use crate::proof::{CheckedProof, ProofError, ProofFailure, ProofSettings, ProofVerifier};
use crate::sts::partitions::all_regions;
use crate::sts::{SetupError, StsFailure, StsSettings, Transport};
use std::time::SystemTime;
use tokio::time::Instant;

/// What checks the proofs of a list. `all`: no list of regions was given. Nothing is sent.
///
/// # Errors
///
/// When the way to issuers cannot be set up.
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

/// Verifies a token. STS is not asked.
pub(super) async fn verify_token(
    verifier: &ProofVerifier,
    token: &PostedProof,
    deadline: Instant,
) -> Attempt {
    let accept = verifier.settings().accept;
    match verifier.check(token, accept, SystemTime::now(), deadline).await {
        Ok(CheckedProof::Token(token)) => last(owner(&token)),
        // It is no token, which its form has told.
        Ok(CheckedProof::SignedRequest(_)) => unreadable(ReadError::NotAToken),
        Err(ProofFailure::Refused(error)) => last(refused(error)),
        Err(ProofFailure::KeysUnavailable(failure)) => failed(&failure),
        Err(ProofFailure::Overloaded) => failed(&StsFailure::Internal("too many issuers are being asked")),
        Err(failure) => unreadable(not_read(&failure)),
    }
}

/// The answer for a proof that can be read and is not good.
pub(super) fn refused(error: ProofError) -> Answer {
    Answer { verdict: error.verdict().into(), ..Answer::skipped(error.code(), &error.to_string()) }
}

/// Why a proof is no entry. What is said of one that could be read is none of these.
pub(super) fn not_read(failure: &ProofFailure) -> ReadError {
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
