//! The Lambda's own interface, for programs that invoke the function by name: `POST
//! /2015-03-31/functions/{function}/invocations` (the Invoke operation of Lambda's API).
//!
//! The payload is the event that the function took: the credentials themselves, or an API Gateway proxy event (REST
//! or HTTP API) whose `body` holds them. The answer is the envelope that the function returned.

use crate::credentials::ValidationError;
use crate::http::body::BodyBytes;
use crate::http::connection::ClientConnection;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::routes::verify::{Verification, verify_json};
use crate::http::state::AppState;
use crate::observability::CallRecord;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");

/// The header by which a client says how it wants the function to be run.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "for the OpenAPI document; the header itself is read as bytes")]
struct InvokeHeaders {
    /// Event is refused: there is nobody to tell the answer to.
    #[param(rename = "x-amz-invocation-type", inline, nullable = false)]
    kind: Option<InvocationType>,
}

/// The invocation types that are served.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the OpenAPI document")]
enum InvocationType {
    /// The default: answer when the function has.
    RequestResponse,
    /// Answer 204 without running it.
    DryRun,
}

/// What the function returned: an answer for API Gateway to send.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope<'a> {
    /// The status that POST /verify would have answered.
    #[schema(example = 200)]
    status_code: u16,
    headers: EnvelopeHeaders,
    /// The JSON that POST /verify would have answered, as a string.
    body: &'a str,
}

/// The two headers that the function set.
#[derive(Debug, Serialize, ToSchema)]
struct EnvelopeHeaders {
    #[serde(rename = "Content-Type")]
    content_type: &'static str,
    #[serde(rename = "Access-Control-Allow-Origin")]
    allow_origin: &'static str,
}

/// An API Gateway proxy event, as far as the function looked at it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyEvent {
    #[serde(default)]
    body: Option<SecretString>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
    /// API Gateway sends it in every event, with a body or without.
    #[serde(default)]
    request_context: Option<IgnoredAny>,
}

/// Invoke as a Lambda function
///
/// Takes what the Lambda function took: the credentials under any of their names, or an API Gateway proxy event (REST
/// or HTTP API, base64 or not) with these as its body. Answers the envelope that the function returned; `statusCode`
/// in it is what POST /verify would have answered, and the verdict is in the header `x-sts-verdict`, too.
/// The name of the function is not looked at.
#[utoipa::path(
    post,
    path = "/2015-03-31/functions/{function}/invocations",
    operation_id = "invoke",
    tag = "lambda",
    params(
        ("function" = String, Path, description = "Any name or ARN: there is one function here"),
        InvokeHeaders,
    ),
    security((), ("bearer" = []), ("apiKey" = [])),
    request_body(content = Object, content_type = "application/json", description = "The event: the credentials, or an API Gateway proxy event"),
    responses(
        (status = 200, description = "The function's answer", body = Envelope),
        (status = 204, description = "DryRun: the invocation would be taken"),
        (status = 400, description = "The payload is not JSON, or the invocation type is not served", body = ErrorBody),
        (status = 401, description = "The service wants an API key, and the request has no good one", body = ErrorBody),
        (status = 408, description = "The payload did not arrive in time", body = ErrorBody),
        (status = 413, description = "The payload is too large", body = ErrorBody),
        (status = 429, description = "This caller asks too often", body = ErrorBody),
        (status = 500, description = "A fault of this service", body = ErrorBody),
    )
)]
pub(crate) async fn invoke(State(app): State<AppState>, request: Request) -> Response {
    let kind = request.headers().get(INVOCATION_TYPE).map_or(&b"RequestResponse"[..], HeaderValue::as_bytes);
    match kind {
        b"RequestResponse" => {}
        b"DryRun" => return StatusCode::NO_CONTENT.into_response(),
        _ => return refuse(ApiError::UnsupportedInvocationType),
    }
    let client = ClientConnection::of(&request);
    let payload = match app.bodies.read(request).await {
        Ok(payload) => payload,
        Err(error) => return refuse(error),
    };
    match event_body(payload) {
        Ok(Some(body)) => envelope(verify_json(&app, body, &client).await),
        Ok(None) => {
            envelope(Verification::error(&ValidationError::MalformedJson.into(), None, CallRecord::default()))
        }
        Err(error) => refuse(error),
    }
}

/// What Lambda itself refuses, without asking the function: its clients read the error's name from a header.
pub(crate) fn refuse(error: ApiError) -> Response {
    let name = match error {
        ApiError::InvalidRequestContent => "InvalidRequestContentException",
        ApiError::UnsupportedInvocationType => "InvalidParameterValueException",
        ApiError::TooLarge => "RequestTooLargeException",
        ApiError::Unauthorized { .. } => "UnrecognizedClientException",
        ApiError::RateLimited { .. } => "TooManyRequestsException",
        _ => "ServiceException",
    };
    let mut response = error.into_response();
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(name));
    response
}

fn envelope(verification: Verification) -> Response {
    let envelope = Envelope {
        status_code: verification.status.as_u16(),
        headers: EnvelopeHeaders { content_type: "application/json", allow_origin: "*" },
        body: &verification.body,
    };
    let Ok(body) = serde_json::to_string(&envelope) else { return ApiError::Internal.into_response() };
    let mut response = Response::new(Body::from(body));
    verification.set_headers(response.headers_mut());
    response.headers_mut().insert(EXECUTED_VERSION, HeaderValue::from_static("$LATEST"));
    response.extensions_mut().insert(verification.record);
    response
}

/// The JSON with the credentials in a payload. `None` for a proxy event whose body cannot be read.
fn event_body(payload: BodyBytes) -> Result<Option<BodyBytes>, ApiError> {
    if payload.is_empty() {
        // Lambda gives the function an empty event then.
        return Ok(Some(Zeroizing::new(b"{}".to_vec()).into()));
    }
    if serde_json::from_slice::<IgnoredAny>(&payload).is_err() {
        return Err(ApiError::InvalidRequestContent);
    }
    match serde_json::from_slice::<ProxyEvent>(&payload) {
        Ok(event) if event.body.is_some() || event.request_context.is_some() => {
            Ok(event.into_body().map(BodyBytes::from))
        }
        _ => Ok(Some(payload)),
    }
}

impl ProxyEvent {
    fn into_body(self) -> Option<Zeroizing<Vec<u8>>> {
        let body = self.body.unwrap_or_default();
        let bytes = body.expose_secret().as_bytes();
        match self.is_base64_encoded {
            Some(true) => BASE64_STANDARD.decode(bytes).ok().map(Zeroizing::new),
            _ => Some(Zeroizing::new(bytes.to_vec())),
        }
    }
}
