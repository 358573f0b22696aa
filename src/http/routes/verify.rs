//! `POST /verify`: calls STS to find out whose credentials these are, and answers in the format of the Lambda
//! function.
//!
//! The Lambda interface ([`crate::http::routes::lambda`]) uses the same [`verify_json`].

use crate::credentials::{Posted, PostedProof, VerifyRequest};
use crate::http::body::BodyBytes;
use crate::http::context::RequestContext;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::media_type::require_json;
use crate::http::proofs::{Checked, ProofCheckError, ProofTerms, check_proof};
use crate::http::spellings::VerifyRequestSchema;
use crate::http::state::{AppState, SharedState};
use crate::http::sts_call::{CallersCall, call_sts};
use crate::http::verification::{Success, Verification};
use crate::proof::{ProofSettings, kind_of};
use crate::sts::StsCall;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

/// The word for credentials in log lines and metrics, beside the kinds of proofs.
const CREDENTIALS: &str = "credentials";

/// Verify AWS credentials
///
/// Calls AWS STS (GetCallerIdentity) with exactly the posted credentials and answers who they belong to, or the
/// error that STS returned. The verdict is in the header `x-sts-verdict`: `valid`, `invalid`, or
/// `indeterminate` when it could not be found out. Indeterminate must never be treated as invalid.
///
/// The three values may be posted under any of the names that AWS tools print, at the top level or in an object
/// up to three levels below it, so that the output of `aws sts assume-role`, a credential process, a metadata
/// service, Vault or a dump of the environment can be posted as it is. A value that occurs twice must be the
/// same both times.
///
/// GetCallerIdentity needs no permission: valid means authentic, not authorised.
#[utoipa::path(
    post,
    path = "/verify",
    operation_id = "verify",
    tag = "verify",
    security((), ("bearer" = []), ("apiKey" = [])),
    request_body(content = VerifyRequestSchema, content_type = "application/json"),
    responses(
        (status = 200, description = "The credentials or the proof are valid and belong to this identity", body = inline(Success)),
        (status = 400, description = "STS returned an error (ClientError), or the request is malformed (ParamValidationError)", body = ErrorBody),
        (status = 401, description = "The service requires an API key, and the request has no valid one", body = ErrorBody),
        (status = 408, description = "The request body did not arrive in time", body = ErrorBody),
        (status = 413, description = "The request body is too large", body = ErrorBody),
        (status = 415, description = "The Content-Type is not JSON's, or there is a Content-Encoding", body = ErrorBody),
        (status = 421, description = "The service is not allowed to answer for that host", body = ErrorBody),
        (status = 429, description = "This caller sends too many requests", body = ErrorBody),
        (status = 500, description = "A fault of this service", body = ErrorBody),
        (status = 502, description = "STS could not be reached, or what answered was not STS", body = ErrorBody),
        (status = 503, description = "This service is at its limit", body = ErrorBody),
        (status = 504, description = "STS did not answer in time", body = ErrorBody),
    )
)]
pub(crate) async fn verify(State(app): State<SharedState>, request: Request) -> Response {
    if let Err(error) = require_json(request.headers()) {
        return error.into_response();
    }
    let context = RequestContext::of(&request, &app);
    match app.bodies.read(request).await {
        Ok(body) => verify_json(&app, &context, body).await.into_response(),
        Err(error) => error.into_response(),
    }
}

/// Answers for the credentials or the proof in a JSON body.
pub(crate) async fn verify_json(app: &AppState, context: &RequestContext, body: BodyBytes) -> Verification {
    let posted = Posted::accepting(&body, app.proofs.settings().accept.credentials);
    // While the request waits for STS, it holds only the parsed values.
    drop(body);
    let verification = match posted {
        Ok(posted) => answer(app, context, posted).await,
        Err(error) => Verification::error(&error.into(), None),
    };
    context.record.update(|record| record.verdict = verification.verdict);
    verification
}

async fn answer(app: &AppState, context: &RequestContext, posted: Posted) -> Verification {
    let kind = match &posted {
        Posted::Credentials(_) => CREDENTIALS,
        Posted::Proof(proof) => kind_of(proof).as_str(),
    };
    let verification = match posted {
        Posted::Credentials(request) => answer_credentials(app, context, request).await,
        Posted::Proof(proof) => {
            context.record.update(|record| record.proof = Some(kind));
            answer_proof(app, context, &proof).await
        }
    };
    if let Some(verdict) = verification.verdict {
        app.metrics.verdict_given(verdict, kind);
    }
    verification
}

async fn answer_credentials(
    app: &AppState,
    context: &RequestContext,
    request: VerifyRequest,
) -> Verification {
    let access_key = request.credentials.masked_access_key();
    context.record.update(|record| record.access_key = Some(access_key));
    let Some(client) = app.sts.client_for(&request.region) else {
        return Verification::error(&ApiError::RegionNotAllowed, None);
    };
    context.record.update(|record| record.region = Some(client.name().clone()));
    let call = CallersCall {
        call: StsCall::Credentials(request.credentials),
        shared: true,
        deadline: app.sts.deadline(),
    };
    match call_sts(app, context, client, call).await {
        Some((outcome, source)) => Verification::of_outcome(app, context, &outcome, source),
        None => Verification::error(&ApiError::Overloaded, None),
    }
}

async fn answer_proof(app: &AppState, context: &RequestContext, proof: &PostedProof) -> Verification {
    let ProofSettings { accept, single_use, .. } = *app.proofs.settings();
    // Every identity that STS names is passed on.
    let terms = ProofTerms { accept, single_use, is_usable: |_, _| true };
    match check_proof(app, context, proof, terms).await {
        Ok(Checked::Call { outcome, source, .. }) => Verification::of_outcome(app, context, &outcome, source),
        Ok(Checked::Token(token)) => Verification::of_token(&token),
        Err(ProofCheckError { error, verdict }) => Verification::error(&error, verdict),
    }
}
