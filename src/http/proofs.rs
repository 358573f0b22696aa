//! Checks a proof for one caller: against the operator's settings and the used proofs, and with STS.

use crate::credentials::PostedProof;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::http::sts_call::{CallersCall, call_sts};
use crate::proof::replay::{Claim, ReplayError};
use crate::proof::signed_request::CheckedRequest;
use crate::proof::token::VerifiedToken;
use crate::proof::{Accept, CheckedProof, ProofError, ProofFailure};
use crate::sts::coalescing::Source;
use crate::sts::{CallOutcome, Identity, StsClient, StsResponse, Verdict};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// STS's code for a signature that does not match. For a presigned URL the reason may be that it is for another
/// audience.
const SIGNATURE_DOES_NOT_MATCH: &str = "SignatureDoesNotMatch";

/// The requirements of one request for a proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProofTerms {
    /// The accepted kinds of proofs.
    pub accept: Accept,
    /// Whether the proof may be used only once.
    pub single_use: bool,
    /// Whether an identity from this region's STS answers the request. If not, the proof does not count as
    /// used.
    pub is_usable: fn(&Identity, &str) -> bool,
}

/// The result for a proof that passed the checks of this service.
pub(crate) enum Checked {
    /// STS was called.
    Call {
        outcome: Arc<CallOutcome>,
        source: Source,
        /// The client of the STS that was called.
        client: Arc<StsClient>,
        /// The time at which the signature expires.
        useful_until: SystemTime,
    },
    /// A token with a valid signature.
    Token(Box<VerifiedToken>),
}

/// Why a proof was not verified, with the verdict on it.
pub(crate) struct ProofCheckError {
    pub error: ApiError,
    /// `None` if the proof was not checked.
    pub verdict: Option<Verdict>,
}

/// Checks a proof, and records the result for the log.
pub(crate) async fn check_proof(
    app: &AppState,
    context: &RequestContext,
    posted: &PostedProof,
    terms: ProofTerms,
) -> Result<Checked, ProofCheckError> {
    let deadline = app.sts.deadline();
    let checked = app.proofs.check(posted, terms.accept, SystemTime::now(), deadline).await?;
    match checked {
        CheckedProof::Token(token) => {
            context.record.update(|record| {
                record.account = Some(token.account.clone());
                record.web_identity_token_id = Some(token.token_id.clone());
            });
            if terms.single_use {
                // The token was verified without STS, so it counts as used whatever follows.
                drop(mark_used(app, &token.replay_id(), token.useful_until).await?);
            }
            Ok(Checked::Token(Box::new(token)))
        }
        CheckedProof::SignedRequest(request) => {
            let client = app.sts.client_of_host(request.host()).ok_or(ProofFailure::RegionNotAllowed)?;
            let proof = SignedProof { app, context, client, request: &request, deadline };
            let (outcome, source) = proof.verify(terms).await?;
            let (client, useful_until) = (client.clone(), request.useful_until());
            Ok(Checked::Call { outcome, source, client, useful_until })
        }
    }
}

/// A signed request, with the request that it belongs to.
struct SignedProof<'a> {
    app: &'a AppState,
    context: &'a RequestContext,
    client: &'a Arc<StsClient>,
    request: &'a CheckedRequest,
    deadline: Instant,
}

/// The outcome of a call, and where it comes from.
type SourcedOutcome = (Arc<CallOutcome>, Source);

impl SignedProof<'_> {
    /// Calls STS. With `single_use` the proof is marked as used before the call, and unmarked if the verdict is
    /// indeterminate.
    async fn verify(&self, terms: ProofTerms) -> Result<SourcedOutcome, ProofCheckError> {
        let Self { app, context, request, .. } = self;
        context.record.update(|record| {
            record.access_key = Some(request.masked_access_key());
            record.region = Some(self.client.name().clone());
        });
        if !terms.single_use {
            return self.try_audiences(true).await;
        }
        let claim = mark_used(app, &request.replay_id(), request.useful_until()).await?;
        let outcome = self.try_audiences(false).await;
        let is_known = outcome.as_ref().is_ok_and(|(outcome, _)| match &outcome.outcome {
            Ok(StsResponse::Identity(identity)) => (terms.is_usable)(identity, self.client.name()),
            Ok(StsResponse::Rejection(rejection)) => rejection.verdict != Verdict::Indeterminate,
            Err(_) => false,
        });
        if !is_known {
            claim.undo().await;
        }
        outcome
    }

    /// Calls STS for each audience, in order, until the signature matches. A rejection closes the connection,
    /// so each call has a new one.
    async fn try_audiences(&self, shared: bool) -> Result<SourcedOutcome, ProofCheckError> {
        let Self { app, context, client, request, deadline } = *self;
        let internal = || ProofCheckError { error: ApiError::Internal, verdict: None };
        let mut last = Err(internal());
        for audience in request.audiences() {
            let call = request.call(audience).map_err(|_| internal())?;
            let outcome = call_sts(app, context, client, CallersCall { call, shared, deadline }).await;
            let (outcome, source) =
                outcome.ok_or(ProofCheckError { error: ApiError::Overloaded, verdict: None })?;
            let is_mismatch = is_mismatch(&outcome);
            last = Ok((outcome, source));
            if !is_mismatch {
                break;
            }
        }
        last
    }
}

async fn mark_used(app: &AppState, id: &[u8; 32], useful_until: SystemTime) -> Result<Claim, ProofFailure> {
    app.replay.mark_used(id, useful_until).await.map_err(|error| match error {
        ReplayError::Replayed => ProofError::Replayed.into(),
        ReplayError::Unavailable => ProofFailure::ReplayStoreUnavailable,
    })
}

fn is_mismatch(outcome: &CallOutcome) -> bool {
    matches!(&outcome.outcome, Ok(StsResponse::Rejection(rejection))
        if rejection.verdict == Verdict::Invalid && rejection.code == SIGNATURE_DOES_NOT_MATCH)
}

impl From<ProofFailure> for ProofCheckError {
    fn from(failure: ProofFailure) -> Self {
        let (error, verdict) = match failure {
            ProofFailure::Malformed(error) => (ApiError::Invalid(error), None),
            ProofFailure::Invalid(error) => (ApiError::Proof(error), Some(error.verdict())),
            ProofFailure::RegionNotAllowed => (ApiError::RegionNotAllowed, None),
            ProofFailure::NotAccepted => (ApiError::ProofNotAccepted, None),
            ProofFailure::KeysUnavailable(failure) => (ApiError::Sts(failure), Some(Verdict::Indeterminate)),
            ProofFailure::Overloaded => (ApiError::Overloaded, Some(Verdict::Indeterminate)),
            ProofFailure::ReplayStoreUnavailable => {
                (ApiError::ReplayStoreUnavailable, Some(Verdict::Indeterminate))
            }
        };
        Self { error, verdict }
    }
}
