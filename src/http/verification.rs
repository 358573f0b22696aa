//! The answer to one verify request: its body, and the headers that belong to it. Everything that a
//! verification sends over the wire is defined here.

use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::observability::SharedRecord;
use crate::proof::token::VerifiedToken;
use crate::sts::coalescing::Source;
use crate::sts::{CallOutcome, Identity, StsFailure, StsResponse, Verdict};
use axum::body::Body;
use axum::http::header::{AGE, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The response header that distinguishes *invalid* from *indeterminate*.
pub const VERDICT_HEADER: HeaderName = HeaderName::from_static("x-sts-verdict");

/// The response header of an answer that was shared or cached (RFC 9211).
pub const CACHE_STATUS_HEADER: HeaderName = HeaderName::from_static("cache-status");

/// The body of a success for credentials and for a signed request.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyResponse<'a> {
    /// What boto3's `get_caller_identity()` returned.
    #[schema(inline)]
    aws_res: CallerIdentity<'a>,
}

/// The body of a success for a web identity token. STS was not called.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenResponse<'a> {
    #[schema(inline)]
    aws_res: TokenIdentity<'a>,
    /// The token's payload as it was signed.
    #[schema(value_type = Object)]
    claims: &'a RawValue,
}

/// The owner of the token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct TokenIdentity<'a> {
    /// The AWS account.
    #[schema(example = "123456789012")]
    account: &'a str,
    /// The ARN of the principal: a user, a role without a session, or root.
    #[schema(example = "arn:aws:iam::123456789012:role/example-role")]
    arn: &'a str,
}

/// The body of a success.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(title = "Success")]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) enum Success<'a> {
    /// The answer of STS for credentials or a signed request.
    #[schema(title = "Identity")]
    Identity(#[schema(inline)] VerifyResponse<'a>),
    /// The claims of a web identity token.
    #[schema(title = "Token")]
    Token(#[schema(inline)] TokenResponse<'a>),
}

/// The caller's identity, as boto3 returns it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity<'a> {
    /// The unique id of the user, role session, federated user or account.
    #[schema(example = "AIDACKCEVSQ6C2EXAMPLE")]
    user_id: &'a str,
    /// The AWS account.
    #[schema(example = "123456789012")]
    account: &'a str,
    /// The ARN of the caller.
    #[schema(example = "arn:aws:iam::123456789012:user/example-user")]
    arn: &'a str,
    #[schema(inline)]
    response_metadata: ResponseMetadata<'a>,
}

/// What boto3 returns about the answer of STS.
#[derive(Debug, Serialize, ToSchema)]
struct ResponseMetadata<'a> {
    /// The request id of STS, for a support case.
    #[serde(rename = "RequestId", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    request_id: Option<OrNull<'a>>,
    /// The HTTP status of STS's answer.
    #[serde(rename = "HTTPStatusCode")]
    #[schema(example = 200)]
    status: u16,
    /// The headers of STS's answer, names in lower case.
    #[serde(rename = "HTTPHeaders")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    headers: Headers<'a>,
    /// True in boto3's standard mode when no attempt was left; absent otherwise.
    #[serde(rename = "MaxAttemptsReached", skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    max_attempts_reached: bool,
    /// How many attempts came before the one that was answered.
    #[serde(rename = "RetryAttempts")]
    #[schema(example = 0)]
    retry_attempts: u32,
}

/// A text, or null for an empty element, as in boto3.
#[derive(Debug)]
struct OrNull<'a>(&'a str);

impl Serialize for OrNull<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Some(self.0).filter(|text| !text.is_empty()).serialize(serializer)
    }
}

/// Headers as a JSON object, in their original order.
#[derive(Debug)]
struct Headers<'a>(&'a [(String, String)]);

impl Serialize for Headers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'a> VerifyResponse<'a> {
    fn new(identity: &'a Identity, retry_attempts: u32, max_attempts_reached: bool) -> Self {
        Self {
            aws_res: CallerIdentity {
                user_id: &identity.user_id,
                account: &identity.account,
                arn: &identity.arn,
                response_metadata: ResponseMetadata {
                    request_id: identity.request_id.as_deref().map(OrNull),
                    status: identity.status,
                    headers: Headers(&identity.headers),
                    max_attempts_reached,
                    retry_attempts,
                },
            },
        }
    }
}

/// The answer to one verify request, before it becomes an HTTP response or a Lambda envelope.
pub(crate) struct Verification {
    pub status: StatusCode,
    pub body: String,
    /// `None` when STS was not called.
    pub verdict: Option<Verdict>,
    pub retry_after: Option<u16>,
    pub source: Source,
    /// `None` for a success.
    pub error: Option<ApiError>,
}

impl Verification {
    pub(crate) fn of_outcome(
        app: &AppState,
        context: &RequestContext,
        outcome: &CallOutcome,
        source: Source,
    ) -> Self {
        context.record.update(|record| record.shared = source.name());
        app.metrics.answer_shared(source.name());
        Self { source, ..Self::new(outcome, &context.record) }
    }

    pub(crate) fn of_token(token: &VerifiedToken) -> Self {
        let arn = token.principal.principal();
        let claims = serde_json::from_str(&token.claims).ok();
        let body = claims.and_then(|claims| {
            json(&TokenResponse { aws_res: TokenIdentity { account: &token.account, arn: &arn }, claims })
        });
        match body {
            Some(body) => Self::with(StatusCode::OK, body, Some(Verdict::Valid), None),
            None => Self::error(&ApiError::Internal, None),
        }
    }

    fn new(call: &CallOutcome, record: &SharedRecord) -> Self {
        record.update(|record| record.retries = Some(call.retries));
        match &call.outcome {
            Ok(StsResponse::Identity(identity)) => {
                record.update(|record| {
                    record.sts_request_id.clone_from(&identity.request_id);
                    record.account = Some(identity.account.clone());
                });
                let body = VerifyResponse::new(identity, call.retries, call.max_attempts_reached);
                match json(&body) {
                    Some(body) => Self::with(StatusCode::OK, body, Some(Verdict::Valid), None),
                    None => Self::error(&ApiError::Internal, None),
                }
            }
            Ok(StsResponse::Rejection(rejection)) => {
                record.update(|record| record.sts_request_id.clone_from(&rejection.request_id));
                Self::error(&ApiError::Rejected(rejection.clone()), Some(rejection.verdict))
            }
            Err(StsFailure::Internal(fault)) => {
                record.update(|record| record.fault = Some(fault));
                Self::error(&ApiError::Internal, None)
            }
            Err(failure) => Self::error(&ApiError::Sts(failure.clone()), Some(Verdict::Indeterminate)),
        }
    }

    /// The answer for an error.
    pub(crate) fn error(error: &ApiError, verdict: Option<Verdict>) -> Self {
        let answer = error.answer();
        let body = serde_json::to_string(&answer.body).unwrap_or_default();
        let error = Some(error.clone());
        Self { error, ..Self::with(answer.status, body, verdict, answer.retry_after) }
    }

    fn with(status: StatusCode, body: String, verdict: Option<Verdict>, retry_after: Option<u16>) -> Self {
        Self { status, body, verdict, retry_after, source: Source::default(), error: None }
    }

    /// Sets the headers that belong to the answer.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(verdict) = self.verdict {
            headers.insert(VERDICT_HEADER, HeaderValue::from_static(verdict.as_str()));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let status = match self.source {
            Source::Sts => return,
            Source::InFlight => HeaderValue::from_static("sts-verify; fwd=miss; collapsed"),
            Source::Cache { age, ttl } => {
                headers.insert(AGE, HeaderValue::from(age));
                HeaderValue::try_from(format!("sts-verify; hit; ttl={ttl}"))
                    .unwrap_or(HeaderValue::from_static("sts-verify; hit"))
            }
        };
        headers.insert(CACHE_STATUS_HEADER, status);
    }
}

impl IntoResponse for Verification {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        // Room for the headers of the layers, too.
        response.headers_mut().reserve(12);
        self.set_headers(response.headers_mut());
        *response.body_mut() = Body::from(self.body);
        leave_for_the_log(&mut response, self.error);
        response
    }
}

/// The body of a success, in a buffer that rarely has to grow.
fn json(body: &impl Serialize) -> Option<String> {
    let mut text = Vec::with_capacity(1024);
    serde_json::to_writer(&mut text, body).ok()?;
    String::from_utf8(text).ok()
}

/// Puts what the access log needs into the extensions of a response.
pub(crate) fn leave_for_the_log(response: &mut Response, error: Option<ApiError>) {
    if let Some(error) = error {
        response.extensions_mut().insert(error);
    }
}
