//! `/auth/{policy}`: a gate for other services. A proxy asks it for every request whether the caller may pass: nginx
//! (`auth_request`), Caddy (`forward_auth`), Traefik (`forwardAuth`), Envoy (`ext_authz`), HAProxy, the Gateway API.
//!
//! Any method is served and no body is read. Credentials are never taken here, and API keys are not asked for. Every answer has
//! all `x-sts-*` headers, so that none of a client's own can pass.

mod presented;

use crate::http::context::RequestContext;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::gate::{CacheKey, Caller, SOURCE};
use crate::http::proofs::{Checked, ProofTerms, Refused, check_proof};
use crate::http::request_head;
use crate::http::state::AppState;
use crate::policy::Policy;
use crate::proof::kind_of;
use crate::sts::{StsFailure, StsResponse, Verdict};
use axum::extract::{Request, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use presented::presented;
use std::sync::Arc;

/// The route, as it is documented.
pub(crate) const PATH: &str = "/auth/{policy}";

/// The routes: all paths, for Envoy appends the path of the client's own request. Those without a policy belong to them, so that a proxy
/// whose path is wrong gets no other route's answer, such as that of CORS to a preflight.
pub(crate) const ROUTES: [&str; 3] = ["/auth", "/auth/", "/auth/{*path}"];

/// Where it could not be found out who asks, and no better time to ask again is known.
const RETRY_LATER: u16 = 5;

/// How a caller may authenticate (RFC 6750, section 3). No error is named where there was no proof.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"sts-verify\"");
const CHALLENGE_INVALID: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"sts-verify\", error=\"invalid_token\"");

/// May this caller pass?
///
/// For a proxy that asks for every request of its clients. The proof (an EKS token, a JWT or a presigned URL) is in
/// `x-sts-verify-proof`, else in `Authorization: Bearer`. Any method is answered, on any path below this one; no body is read.
///
/// All `x-sts-*` headers are on every answer, empty where there is nothing to say: have the proxy copy all of them, so that a client's
/// own are replaced.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "gate",
    tag = "gate",
    params(
        ("policy" = String, Path, description = "The name of a policy in STS_VERIFY_POLICIES_FILE"),
        ("x-sts-verify-proof" = Option<String>, Header, description = "The proof; `Authorization: Bearer PROOF` where it is absent"),
    ),
    security((), ("proof" = [])),
    responses(
        (status = 200, description = "The proof is good, and the policy lets its principal pass"),
        (status = 401, description = "There is no proof, or none that is good", body = ErrorBody),
        (status = 403, description = "The proof is good, and the policy does not let its principal pass", body = ErrorBody),
        (status = 404, description = "There is no such policy", body = ErrorBody),
        (status = 421, description = "The service is not allowed to answer for that host", body = ErrorBody),
        (status = 429, description = "This address asks too often", body = ErrorBody),
        (status = 500, description = "A fault of this service", body = ErrorBody),
        (status = 503, description = "It could not be found out", body = ErrorBody),
    )
)]
pub(crate) async fn gate(State(app): State<AppState>, request: Request) -> Response {
    if let Some(error) = request_head::reason(&request) {
        return error.into_response();
    }
    let context = RequestContext::of(&request, &app);
    let (head, _) = request.into_parts();
    let name = policy_name(head.uri.path());
    let policies = app.policies.as_ref().map(|file| file.current());
    let Some(policy) = policies.as_ref().and_then(|policies| policies.get(name)) else {
        return ApiError::NoSuchPolicy.into_response();
    };
    context.record.update(|record| record.policy = Some(name.to_owned()));
    let decision = decide(&app, &context, policy, &head.headers).await;
    let word = decision.as_ref().map_or_else(Refusal::decision, |_| "allowed");
    app.metrics.gate_decided(name, word);
    match decision {
        Ok(caller) => caller.response(),
        Err(refusal) => refusal.response(),
    }
}

/// The second part of a path. A policy's name needs no escapes; what follows it is the client's, which may be anything.
fn policy_name(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

/// Why a caller may not pass.
enum Refusal {
    /// There is no proof.
    NoProof,
    /// There is one that is not good.
    NotGood(ApiError),
    /// The proof is good.
    NotAllowed,
    /// It could not be found out.
    Unknown(ApiError),
}

async fn decide(
    app: &AppState,
    context: &RequestContext,
    policy: &Policy,
    headers: &HeaderMap,
) -> Result<Arc<Caller>, Refusal> {
    let proof = presented(headers).map_err(|error| Refusal::NotGood(error.into()))?;
    let proof = proof.ok_or(Refusal::NoProof)?;
    let kind = kind_of(&proof);
    context.record.update(|record| record.proof = Some(kind.as_str()));
    if !policy.accepts(kind) {
        return Err(Refusal::NotGood(ApiError::ProofNotAccepted));
    }
    // With single use nothing is kept.
    let key = (!policy.single_use()).then(|| app.gate_cache.key(&proof));
    let kept = key.as_ref().and_then(|key| app.gate_cache.get(key));
    let caller = if let Some(kept) = kept {
        app.metrics.answer_shared(Some(SOURCE));
        context.record.update(|record| record.shared = Some(SOURCE));
        kept.map_err(|error| (Refusal::NotGood(ApiError::Proof(error)), Some(error.verdict())))
    } else {
        let terms = ProofTerms {
            accept: policy.accept(),
            single_use: policy.single_use(),
            names_somebody: |identity, region| Caller::of_identity(identity, region).is_some(),
        };
        find_caller(app, check_proof(app, context, &proof, terms).await, key)
    };
    let verdict = caller.as_ref().map_or_else(|(_, verdict)| *verdict, |_| Some(Verdict::Valid));
    context.record.update(|record| record.verdict = verdict);
    if let Some(verdict) = verdict {
        app.metrics.verdict_given(verdict, kind.as_str());
    }
    let caller = caller.map_err(|(refusal, _)| refusal)?;
    context.record.update(|record| record.account = Some(caller.arn.account.clone()));
    if policy.allows(&caller.subject()) { Ok(caller) } else { Err(Refusal::NotAllowed) }
}

/// Who made a proof. What may be kept is kept.
fn find_caller(
    app: &AppState,
    checked: Result<Checked, Refused>,
    key: Option<CacheKey>,
) -> Result<Arc<Caller>, (Refusal, Option<Verdict>)> {
    let checked = checked.map_err(|Refused { error, verdict }| {
        if let (ApiError::Proof(error), Some(key)) = (&error, key) {
            app.gate_cache.keep_refusal(key, *error);
        }
        (Refusal::of(error, verdict), verdict)
    })?;
    match checked {
        Checked::Token(token) => Ok(Arc::new(Caller::of_token(*token))),
        Checked::Asked { outcome, client, useful_until, .. } => match &outcome.outcome {
            Ok(StsResponse::Identity(identity)) => {
                let Some(caller) = Caller::of_identity(identity, client.name()) else {
                    // It named somebody, and STS names nobody in this way.
                    let (endpoint, status) = (client.endpoint().clone(), identity.status);
                    let failure = StsFailure::NotSts { endpoint, status, well_formed: true, code: None };
                    return Err((Refusal::Unknown(ApiError::Sts(failure)), Some(Verdict::Indeterminate)));
                };
                let caller = Arc::new(caller);
                if let Some(key) = key {
                    app.gate_cache.keep(key, &caller, useful_until);
                }
                Ok(caller)
            }
            Ok(StsResponse::Rejection(no)) => {
                Err((Refusal::of(ApiError::Rejected(no.clone()), Some(no.verdict)), Some(no.verdict)))
            }
            Err(failure) => {
                Err((Refusal::Unknown(ApiError::Sts(failure.clone())), Some(Verdict::Indeterminate)))
            }
        },
    }
}

impl Refusal {
    /// A proof's own errors and the refusals of STS are the caller's affair; all else could not be found out.
    fn of(error: ApiError, verdict: Option<Verdict>) -> Self {
        match (&error, verdict) {
            (
                ApiError::Proof(_)
                | ApiError::Invalid(_)
                | ApiError::ProofNotAccepted
                | ApiError::RegionNotAllowed,
                _,
            )
            | (_, Some(Verdict::Invalid)) => Self::NotGood(error),
            _ => Self::Unknown(error),
        }
    }

    /// The word in the metrics.
    fn decision(&self) -> &'static str {
        match self {
            Self::NoProof | Self::NotGood(_) => "unauthenticated",
            Self::NotAllowed => "denied",
            Self::Unknown(_) => "unknown",
        }
    }

    fn response(self) -> Response {
        let (error, status, challenge) = match self {
            Self::NoProof => (ApiError::NoProof, StatusCode::UNAUTHORIZED, Some(CHALLENGE)),
            Self::NotGood(error) => (error, StatusCode::UNAUTHORIZED, Some(CHALLENGE_INVALID)),
            Self::NotAllowed => (ApiError::Forbidden, StatusCode::FORBIDDEN, None),
            Self::Unknown(ApiError::Internal) => {
                (ApiError::Internal, StatusCode::INTERNAL_SERVER_ERROR, None)
            }
            Self::Unknown(error) => (error, StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut response = error.into_response();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
            headers.remove(RETRY_AFTER);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.entry(RETRY_AFTER).or_insert(HeaderValue::from(RETRY_LATER));
        }
        response
    }
}
