//! `POST /verify`: asks STS whose credentials these are and answers in the words of the Lambda function.
//!
//! Everything on the wire is named here: the success body, the verdict header, the headers of an answer. The Lambda's
//! own interface ([`crate::http::routes::lambda`]) asks the same [`verify_json`].

use crate::credentials::VerifyRequest;
use crate::http::body::BodyBytes;
use crate::http::connection::ClientConnection;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::openapi::VerifyRequestSchema;
use crate::http::state::AppState;
use crate::observability::CallRecord;
use crate::observability::spans::StsSpan;
use crate::sts::coalescing::Source;
use crate::sts::{CallOutcome, Identity, StsFailure, StsResponse, Verdict};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AGE, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

/// The response header that tells *invalid* from *could not find out*.
pub const VERDICT_HEADER: HeaderName = HeaderName::from_static("x-sts-verdict");

/// The response header that tells an answer that was not this caller's alone (RFC 9211).
pub const CACHE_STATUS_HEADER: HeaderName = HeaderName::from_static("cache-status");

/// The body of a success.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyResponse<'a> {
    /// What boto3's `get_caller_identity()` returned.
    #[schema(inline)]
    aws_res: CallerIdentity<'a>,
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

/// What boto3 tells about the answer of STS.
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

/// A text, or null for an empty element: boto3's answer to one.
#[derive(Debug)]
struct OrNull<'a>(&'a str);

impl Serialize for OrNull<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Some(self.0).filter(|text| !text.is_empty()).serialize(serializer)
    }
}

/// Headers as a JSON object, in their own order.
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

/// The answer to one question, before it becomes an HTTP response or a Lambda's envelope.
pub(crate) struct Verification {
    pub status: StatusCode,
    pub body: String,
    /// None when STS was not asked.
    pub verdict: Option<Verdict>,
    pub retry_after: Option<u16>,
    pub source: Source,
    /// What the log may know about it.
    pub record: CallRecord,
}

/// Verify AWS credentials
///
/// Asks AWS STS (GetCallerIdentity) with exactly the credentials posted and answers who they belong to, or STS's own
/// reason why not. The verdict is in the header `x-sts-verdict`: `valid`, `invalid`, or `indeterminate` when it could
/// not be found out; indeterminate must never be read as invalid.
///
/// The three values may be posted under any of the names that AWS tools print, so that the output of
/// `aws sts assume-role`, a credential process or a metadata service can be posted as it is. Post each value once.
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
        (status = 200, description = "The credentials are good; this is whose they are", body = VerifyResponse),
        (status = 400, description = "STS said no or could not say (ClientError), or the request is malformed (ParamValidationError)", body = ErrorBody),
        (status = 401, description = "The service wants an API key, and the request has no good one", body = ErrorBody),
        (status = 408, description = "The request body did not arrive in time", body = ErrorBody),
        (status = 413, description = "The request body is too large", body = ErrorBody),
        (status = 415, description = "The Content-Type is not JSON's", body = ErrorBody),
        (status = 429, description = "This caller asks too often", body = ErrorBody),
        (status = 500, description = "A fault of this service", body = ErrorBody),
        (status = 502, description = "STS could not be reached, or what answered was not STS", body = ErrorBody),
        (status = 503, description = "This service is at its limit", body = ErrorBody),
        (status = 504, description = "STS did not answer in time", body = ErrorBody),
    )
)]
pub(crate) async fn verify(State(app): State<AppState>, request: Request) -> Response {
    if !is_json(request.headers()) {
        return ApiError::UnsupportedMediaType.into_response();
    }
    let client = ClientConnection::of(&request);
    match app.bodies.read(request).await {
        Ok(body) => verify_json(&app, body, &client).await.into_response(),
        Err(error) => error.into_response(),
    }
}

/// Answers the question in a JSON body.
pub(crate) async fn verify_json(app: &AppState, body: BodyBytes, client: &ClientConnection) -> Verification {
    let verification = answer(app, body, client).await;
    app.metrics.question_answered(verification.verdict, verification.record.code.as_deref());
    verification
}

async fn answer(app: &AppState, body: BodyBytes, client: &ClientConnection) -> Verification {
    let question = match VerifyRequest::from_json(&body) {
        Ok(question) => question,
        Err(refusal) => return Verification::error(&refusal.into(), None, CallRecord::default()),
    };
    // A request that waits for STS holds its question and no more.
    drop(body);
    let mut record =
        CallRecord { access_key: Some(question.credentials.masked_access_key()), ..CallRecord::default() };
    let Some(region) = app.sts.client(question.region.as_deref()) else {
        return Verification::error(&ApiError::RegionNotAllowed, None, record);
    };
    record.region = Some(region.name().clone());
    let Ok(_permit) = app.in_flight.try_acquire() else {
        app.metrics.request_shed();
        return Verification::error(&ApiError::Overloaded, None, record);
    };
    let began = Instant::now();
    let call = async || {
        let asked_at = Instant::now();
        let span = StsSpan::begin(region);
        let may_retry = || !client.half_closed();
        let asked = app.sts.ask(region, &question.credentials, began, may_retry).await;
        span.end(&asked);
        app.metrics.sts_asked(region.name(), &asked.outcome, asked.retries, asked_at.elapsed());
        asked
    };
    let (cached, source) = app.coalescer.ask(region.name(), &question.credentials, call).await;
    record.shared = source.name();
    app.metrics.answer_shared(record.shared);
    Verification { source, ..Verification::new(&cached.asked, record) }
}

impl Verification {
    fn new(asked: &CallOutcome, mut record: CallRecord) -> Self {
        record.retries = Some(asked.retries);
        match &asked.outcome {
            Ok(StsResponse::Identity(identity)) => {
                record.sts_request_id.clone_from(&identity.request_id);
                record.account = Some(identity.account.clone());
                let body = VerifyResponse::new(identity, asked.retries, asked.max_attempts_reached);
                match serde_json::to_string(&body) {
                    Ok(body) => Self::with(StatusCode::OK, body, Some(Verdict::Valid), None, record),
                    Err(_) => Self::error(&ApiError::Internal, None, record),
                }
            }
            Ok(StsResponse::Rejection(rejection)) => {
                let verdict = rejection.verdict();
                record.sts_request_id.clone_from(&rejection.request_id);
                Self::error(&ApiError::Rejected(rejection.clone()), Some(verdict), record)
            }
            Err(StsFailure::Internal(fault)) => {
                record.fault = Some(fault);
                Self::error(&ApiError::Internal, None, record)
            }
            Err(failure) => {
                Self::error(&ApiError::Sts(failure.clone()), Some(Verdict::Indeterminate), record)
            }
        }
    }

    /// The answer for an error.
    pub(crate) fn error(error: &ApiError, verdict: Option<Verdict>, mut record: CallRecord) -> Self {
        let answer = error.answer();
        let body = serde_json::to_string(&answer.body).unwrap_or_default();
        record.code = Some(answer.body.error_code.into_owned());
        Self::with(answer.status, body, verdict, answer.retry_after, record)
    }

    fn with(
        status: StatusCode,
        body: String,
        verdict: Option<Verdict>,
        retry_after: Option<u16>,
        mut record: CallRecord,
    ) -> Self {
        record.verdict = verdict;
        Self { status, body, verdict, retry_after, source: Source::default(), record }
    }

    /// Puts what is said beside the body into headers.
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
        // With those of the layers.
        response.headers_mut().reserve(12);
        self.set_headers(response.headers_mut());
        response.extensions_mut().insert(self.record);
        *response.body_mut() = Body::from(self.body);
        response
    }
}

/// Whether the body is said to be JSON: `application/json` or a type with the suffix `+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mime: Option<mime::Mime> = content_type.and_then(|text| text.parse().ok());
    mime.is_some_and(|mime| {
        mime.type_() == mime::APPLICATION
            && (mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON))
    })
}
