//! Checks a proof for one caller: by the operator's settings, against the used ones, and with STS.

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

/// STS's code for a signature that does not match: of a presigned URL, perhaps because it is for another audience.
const SIGNATURE_DOES_NOT_MATCH: &str = "SignatureDoesNotMatch";

/// What one request wants of a proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProofTerms {
    /// The kinds that are accepted.
    pub accept: Accept,
    /// Whether the proof counts once.
    pub single_use: bool,
    /// Whether an identity that STS named for a region tells the request whom it wants to know. If not, the proof was not used.
    pub names_somebody: fn(&Identity, &str) -> bool,
}

/// What came of a proof that is for this service.
pub(crate) enum Checked {
    /// STS was asked.
    Asked {
        outcome: Arc<CallOutcome>,
        source: Source,
        /// Whom it was asked of.
        client: Arc<StsClient>,
        /// After it the signature is too old.
        useful_until: SystemTime,
    },
    /// A token's signature is good.
    Token(Box<VerifiedToken>),
}

/// Why there is nothing to say of a proof, and what that says of it.
pub(crate) struct Refused {
    pub error: ApiError,
    /// `None` where the proof was not looked at.
    pub verdict: Option<Verdict>,
}

/// Checks a proof. What is learnt of it is written down for the log.
pub(crate) async fn check_proof(
    app: &AppState,
    context: &RequestContext,
    posted: &PostedProof,
    terms: ProofTerms,
) -> Result<Checked, Refused> {
    let deadline = app.sts.deadline();
    let checked = app.proofs.check(posted, terms.accept, SystemTime::now(), deadline).await?;
    match checked {
        CheckedProof::Token(token) => {
            context.record.update(|record| {
                record.account = Some(token.account.clone());
                record.web_identity_token_id = Some(token.token_id.clone());
            });
            if terms.single_use {
                // It was checked without STS: whatever comes next, it counts as used.
                drop(take(app, &token.replay_id(), token.useful_until).await?);
            }
            Ok(Checked::Token(Box::new(token)))
        }
        CheckedProof::SignedRequest(request) => {
            let client = app.sts.client_of_host(request.host()).ok_or(ProofFailure::RegionNotAllowed)?;
            let once = OneCall { app, context, client, request: &request, deadline };
            let (outcome, source) = once.ask(terms).await?;
            let (client, useful_until) = (client.clone(), request.useful_until());
            Ok(Checked::Asked { outcome, source, client, useful_until })
        }
    }
}

/// A signed request, and who asks about it.
struct OneCall<'a> {
    app: &'a AppState,
    context: &'a RequestContext,
    client: &'a Arc<StsClient>,
    request: &'a CheckedRequest,
    deadline: Instant,
}

/// STS's outcome, and where it comes from.
type Asked = (Arc<CallOutcome>, Source);

impl OneCall<'_> {
    /// Asks STS. With `single_use` the proof is taken before, and given back if STS could not say.
    async fn ask(&self, terms: ProofTerms) -> Result<Asked, Refused> {
        let Self { app, context, request, .. } = self;
        context.record.update(|record| {
            record.access_key = Some(request.masked_access_key());
            record.region = Some(self.client.name().clone());
        });
        if !terms.single_use {
            return self.ask_for_audiences(true).await;
        }
        let claim = take(app, &request.replay_id(), request.useful_until()).await?;
        let asked = self.ask_for_audiences(false).await;
        let is_known = asked.as_ref().is_ok_and(|(outcome, _)| match &outcome.outcome {
            Ok(StsResponse::Identity(identity)) => (terms.names_somebody)(identity, self.client.name()),
            Ok(StsResponse::Rejection(no)) => no.verdict != Verdict::Indeterminate,
            Err(_) => false,
        });
        if !is_known {
            claim.give_back().await;
        }
        asked
    }

    /// Asks for each audience, in order, while STS says that the signature does not match. STS's refusal closes the
    /// connection, so that each has one of its own.
    async fn ask_for_audiences(&self, shared: bool) -> Result<Asked, Refused> {
        let Self { app, context, client, request, deadline } = *self;
        let internal = || Refused { error: ApiError::Internal, verdict: None };
        let mut last = Err(internal());
        for audience in request.audiences() {
            let call = request.call(audience).map_err(|_| internal())?;
            let asked = call_sts(app, context, client, CallersCall { call, shared, deadline }).await;
            let (outcome, source) = asked.ok_or(Refused { error: ApiError::Overloaded, verdict: None })?;
            let is_mismatch = is_mismatch(&outcome);
            last = Ok((outcome, source));
            if !is_mismatch {
                break;
            }
        }
        last
    }
}

async fn take(app: &AppState, id: &[u8; 32], useful_until: SystemTime) -> Result<Claim, ProofFailure> {
    app.replay.take(id, useful_until).await.map_err(|error| match error {
        ReplayError::Replayed => ProofError::Replayed.into(),
        ReplayError::Unavailable => ProofFailure::ReplayStoreUnavailable,
    })
}

fn is_mismatch(outcome: &CallOutcome) -> bool {
    matches!(&outcome.outcome, Ok(StsResponse::Rejection(no))
        if no.verdict == Verdict::Invalid && no.code == SIGNATURE_DOES_NOT_MATCH)
}

impl From<ProofFailure> for Refused {
    fn from(failure: ProofFailure) -> Self {
        let (error, verdict) = match failure {
            ProofFailure::Malformed(error) => (ApiError::Invalid(error), None),
            ProofFailure::Refused(error) => (ApiError::Proof(error), Some(error.verdict())),
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
