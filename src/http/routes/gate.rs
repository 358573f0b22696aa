//! `/auth/{policy}`: a gate for other services. A proxy calls it for every request to find out whether the
//! caller may pass: nginx (`auth_request`), Caddy (`forward_auth`), Traefik (`forwardAuth`), Envoy
//! (`ext_authz`), HAProxy, the Gateway API.
//!
//! It accepts any method and reads no body. It never accepts credentials, and needs no API key. Every response
//! has all `x-sts-*` headers, so that headers that the client sent cannot reach the upstream.

mod presented;

use crate::http::context::RequestContext;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::gate::{CacheKey, Caller, SOURCE};
use crate::http::proofs::{Checked, ProofCheckError, ProofTerms, check_proof};
use crate::http::request_head;
use crate::http::state::{AppState, SharedState};
use crate::policy::Policy;
use crate::proof::kind_of;
use crate::sts::{StsFailure, StsResponse, Verdict};
use axum::extract::{Request, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use presented::presented;
use std::sync::Arc;

/// The route in the OpenAPI document.
pub(crate) const PATH: &str = "/auth/{policy}";

/// The routes: all paths below /auth, because Envoy appends the path of the client's request. They include
/// paths without a policy, so that a proxy with a wrong path does not get the response of another route, such
/// as a CORS preflight.
pub(crate) const ROUTES: [&str; 3] = ["/auth", "/auth/", "/auth/{*path}"];

/// The `Retry-After` when the caller could not be verified and no other time is known.
const RETRY_LATER: u16 = 5;

/// How a caller may authenticate (RFC 6750, section 3). No error is named if there was no proof.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"sts-verify\"");
const INVALID_TOKEN_CHALLENGE: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"sts-verify\", error=\"invalid_token\"");

/// Authenticate a caller for a proxy
///
/// For a proxy that sends a request for each request of its clients. The proof (an EKS token, a JWT or a
/// presigned URL) is in `x-sts-verify-proof`, or else in `Authorization: Bearer`. Any method is accepted, on
/// any path below this one. No body is read.
///
/// Every response has all `x-sts-*` headers, with empty values where there is nothing to say. Configure the
/// proxy to copy all of them, so that those that the client sent are replaced.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "gate",
    tag = "gate",
    params(
        ("policy" = String, Path, description = "The name of a policy in STS_VERIFY_POLICIES_FILE"),
        ("x-sts-verify-proof" = Option<String>, Header, description = "The proof; `Authorization: Bearer PROOF` is used if it is absent"),
    ),
    security((), ("proof" = [])),
    responses(
        (status = 200, description = "The proof is valid, and the policy allows its principal"),
        (status = 401, description = "There is no proof, or no valid one", body = ErrorBody),
        (status = 403, description = "The proof is valid, and the policy does not allow its principal", body = ErrorBody),
        (status = 404, description = "There is no such policy", body = ErrorBody),
        (status = 421, description = "The service is not allowed to answer for that host", body = ErrorBody),
        (status = 429, description = "This address sends too many requests", body = ErrorBody),
        (status = 500, description = "A fault of this service", body = ErrorBody),
        (status = 503, description = "The caller could not be verified", body = ErrorBody),
    )
)]
pub(crate) async fn gate(State(app): State<SharedState>, request: Request) -> Response {
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
    let word = decision.as_ref().map_or_else(Denial::decision, |_| "allowed");
    app.metrics.gate_decided(name, word);
    match decision {
        Ok(caller) => caller.response(),
        Err(denial) => denial.response(),
    }
}

/// The policy's name in a path. Names need no escapes. The rest of the path is the client's and may be
/// anything.
fn policy_name(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

/// Why a caller may not pass.
enum Denial {
    /// There is no proof.
    NoProof,
    /// The proof is not valid.
    InvalidProof(ApiError),
    /// The proof is valid, but the policy does not allow its principal.
    Forbidden,
    /// The caller could not be verified.
    Unverified(ApiError),
}

async fn decide(
    app: &AppState,
    context: &RequestContext,
    policy: &Policy,
    headers: &HeaderMap,
) -> Result<Arc<Caller>, Denial> {
    let proof = presented(headers).map_err(|error| Denial::InvalidProof(error.into()))?;
    let proof = proof.ok_or(Denial::NoProof)?;
    let kind = kind_of(&proof);
    context.record.update(|record| record.proof = Some(kind.as_str()));
    if !policy.accepts(kind) {
        return Err(Denial::InvalidProof(ApiError::ProofNotAccepted));
    }
    // Nothing is cached for single use.
    let key = (!policy.single_use()).then(|| app.gate_cache.key(&proof));
    let cached = key.as_ref().and_then(|key| app.gate_cache.get(key));
    let caller = if let Some(cached) = cached {
        app.metrics.answer_shared(Some(SOURCE));
        context.record.update(|record| record.shared = Some(SOURCE));
        cached.map_err(|error| (Denial::InvalidProof(ApiError::Proof(error)), Some(error.verdict())))
    } else {
        let terms = ProofTerms {
            accept: policy.accept(),
            single_use: policy.single_use(),
            is_usable: |identity, region| Caller::of_identity(identity, region).is_some(),
        };
        find_caller(app, check_proof(app, context, &proof, terms).await, key)
    };
    let verdict = caller.as_ref().map_or_else(|(_, verdict)| *verdict, |_| Some(Verdict::Valid));
    context.record.update(|record| record.verdict = verdict);
    if let Some(verdict) = verdict {
        app.metrics.verdict_given(verdict, kind.as_str());
    }
    let caller = caller.map_err(|(denial, _)| denial)?;
    context.record.update(|record| record.account = Some(caller.arn.account.clone()));
    if policy.allows(&caller.subject()) { Ok(caller) } else { Err(Denial::Forbidden) }
}

/// Finds the maker of a proof, and caches the result if possible.
fn find_caller(
    app: &AppState,
    checked: Result<Checked, ProofCheckError>,
    key: Option<CacheKey>,
) -> Result<Arc<Caller>, (Denial, Option<Verdict>)> {
    let checked = checked.map_err(|ProofCheckError { error, verdict }| {
        if let (ApiError::Proof(error), Some(key)) = (&error, key) {
            app.gate_cache.insert_error(key, *error);
        }
        (Denial::of(error, verdict), verdict)
    })?;
    match checked {
        Checked::Token(token) => Ok(Arc::new(Caller::of_token(*token))),
        Checked::Call { outcome, client, useful_until, .. } => match &outcome.outcome {
            Ok(StsResponse::Identity(identity)) => {
                let Some(caller) = Caller::of_identity(identity, client.name()) else {
                    // It is not an identity that STS would return.
                    let (endpoint, status) = (client.endpoint().clone(), identity.status);
                    let failure = StsFailure::NotSts { endpoint, status, well_formed: true, code: None };
                    return Err((Denial::Unverified(ApiError::Sts(failure)), Some(Verdict::Indeterminate)));
                };
                let caller = Arc::new(caller);
                if let Some(key) = key {
                    app.gate_cache.insert_caller(key, &caller, useful_until);
                }
                Ok(caller)
            }
            Ok(StsResponse::Rejection(rejection)) => Err((
                Denial::of(ApiError::Rejected(rejection.clone()), Some(rejection.verdict)),
                Some(rejection.verdict),
            )),
            Err(failure) => {
                Err((Denial::Unverified(ApiError::Sts(failure.clone())), Some(Verdict::Indeterminate)))
            }
        },
    }
}

impl Denial {
    /// Errors of the proof itself and rejections by STS are the caller's fault. For all other errors the
    /// verdict is unknown.
    fn of(error: ApiError, verdict: Option<Verdict>) -> Self {
        match (&error, verdict) {
            (
                ApiError::Proof(_)
                | ApiError::Invalid(_)
                | ApiError::ProofNotAccepted
                | ApiError::RegionNotAllowed,
                _,
            )
            | (_, Some(Verdict::Invalid)) => Self::InvalidProof(error),
            _ => Self::Unverified(error),
        }
    }

    /// The word in the metrics.
    fn decision(&self) -> &'static str {
        match self {
            Self::NoProof | Self::InvalidProof(_) => "unauthenticated",
            Self::Forbidden => "denied",
            Self::Unverified(_) => "unknown",
        }
    }

    fn response(self) -> Response {
        let (error, status, challenge) = match self {
            Self::NoProof => (ApiError::NoProof, StatusCode::UNAUTHORIZED, Some(CHALLENGE)),
            Self::InvalidProof(error) => (error, StatusCode::UNAUTHORIZED, Some(INVALID_TOKEN_CHALLENGE)),
            Self::Forbidden => (ApiError::Forbidden, StatusCode::FORBIDDEN, None),
            Self::Unverified(ApiError::Internal) => {
                (ApiError::Internal, StatusCode::INTERNAL_SERVER_ERROR, None)
            }
            Self::Unverified(error) => (error, StatusCode::SERVICE_UNAVAILABLE, None),
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
