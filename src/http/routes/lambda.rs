//! The Lambda interface, for programs that invoke the function by name: `POST
//! /2015-03-31/functions/{function}/invocations` (the Invoke operation of Lambda's API).
//!
//! The payload is the event that the function accepted ([`event`]). The response is the envelope that the
//! function returned. [`service`] adds what Lambda itself sends.

mod event;
mod service;

pub(crate) use service::{AMAZON_REQUEST_ID, ERROR_TYPE, LOG_RESULT, speak_as_lambda};

use crate::config::CorsOrigins;
use crate::credentials::ValidationError;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::routes::verify::verify_json;
use crate::http::state::SharedState;
use crate::http::verification::{Verification, leave_for_the_log};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use event::Event;
use serde::Serialize;
use service::ServiceError;
use utoipa::{IntoParams, ToSchema};

/// The route.
pub(crate) const PATH: &str = "/2015-03-31/functions/{function}/invocations";

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");

/// The version of the function that ran. There is only one.
pub(crate) const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");

/// The headers with which a client says how to run the function.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "for the OpenAPI document; the headers themselves are read as bytes")]
struct InvokeHeaders {
    /// `Event` is rejected: nothing could receive the answer.
    #[param(rename = "x-amz-invocation-type", inline, nullable = false)]
    kind: Option<InvocationType>,
    /// `Tail` returns the request's log line in `x-amz-log-result`.
    #[param(rename = "x-amz-log-type", inline, nullable = false)]
    log: Option<LogType>,
}

/// The part of the log that the response contains.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the OpenAPI document")]
enum LogType {
    /// The default: none.
    None,
    /// The end of the log.
    Tail,
}

/// The supported invocation types.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the OpenAPI document")]
enum InvocationType {
    /// The default: answer when the function has returned.
    RequestResponse,
    /// Answer 204 without running the function.
    DryRun,
}

/// The value that the function returned: a response for API Gateway to send.
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

/// The headers that the function set, by the operator's setting of CORS.
#[derive(Debug, Serialize, ToSchema)]
struct EnvelopeHeaders {
    #[serde(rename = "Content-Type")]
    content_type: &'static str,
    /// Absent if the operator lists origins and the event's origin is not one of them.
    #[serde(rename = "Access-Control-Allow-Origin", skip_serializing_if = "Option::is_none")]
    #[schema(example = "*")]
    allow_origin: Option<String>,
    /// `Origin` if the operator lists origins.
    #[serde(rename = "Vary", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    vary: Option<&'static str>,
}

/// Invoke as a Lambda function
///
/// Takes the events of the Lambda function: the credentials under any of their names, or an API Gateway proxy
/// event (REST or HTTP API, base64 or not) with the credentials in its body. Answers the envelope that the
/// function returned. Its `statusCode` is that of POST /verify, and the verdict is also in the header
/// `x-sts-verdict`. The function's name is ignored.
#[utoipa::path(
    post,
    path = PATH,
    operation_id = "invoke",
    tag = "lambda",
    params(
        ("function" = String, Path, description = "Any name or ARN: there is only one function"),
        InvokeHeaders,
    ),
    security((), ("bearer" = []), ("apiKey" = [])),
    request_body(content = Object, content_type = "application/json", description = "The event: the credentials, or an API Gateway proxy event"),
    responses(
        (status = 200, description = "The function's answer", body = Envelope),
        (status = 204, description = "DryRun: the invocation is acceptable"),
        (status = 400, description = "The payload is not JSON, or the invocation type is not supported", body = ServiceError),
        (status = 401, description = "The service requires an API key, and the request has no valid one", body = ServiceError),
        (status = 408, description = "The payload did not arrive in time", body = ServiceError),
        (status = 413, description = "The payload is too large", body = ServiceError),
        (status = 421, description = "The service is not allowed to answer for that host", body = ServiceError),
        (status = 429, description = "This caller sends too many requests", body = ServiceError),
        (status = 500, description = "A fault of this service", body = ServiceError),
    )
)]
pub(crate) async fn invoke(State(app): State<SharedState>, request: Request) -> Response {
    let kind = request.headers().get(INVOCATION_TYPE).map_or(&b"RequestResponse"[..], HeaderValue::as_bytes);
    match kind {
        b"RequestResponse" => {}
        b"DryRun" => return StatusCode::NO_CONTENT.into_response(),
        _ => return ApiError::UnsupportedInvocationType.into_response(),
    }
    let context = RequestContext::of(&request, &app);
    let own_origin = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok()).map(str::to_owned);
    let event = match app.bodies.read(request).await.and_then(Event::read) {
        Ok(event) => event,
        Err(error) => return error.into_response(),
    };
    let verification = match event.body {
        Some(body) => verify_json(&app, &context, body).await,
        None => Verification::error(&ValidationError::MalformedJson.into(), None),
    };
    let headers = EnvelopeHeaders::new(&app.cors_origins, event.origin.or(own_origin));
    envelope(verification, headers)
}

impl EnvelopeHeaders {
    /// The headers for a caller that passes the envelope on to a browser, for a page of this origin.
    fn new(allowed: &CorsOrigins, origin: Option<String>) -> Self {
        let (allow_origin, vary) = match allowed {
            CorsOrigins::Any => (Some("*".to_owned()), None),
            CorsOrigins::List(list) => {
                (origin.filter(|origin| list.iter().any(|allowed| allowed == origin)), Some("Origin"))
            }
        };
        Self { content_type: "application/json", allow_origin, vary }
    }
}

fn envelope(verification: Verification, headers: EnvelopeHeaders) -> Response {
    let status_code = verification.status.as_u16();
    let envelope = Envelope { status_code, headers, body: &verification.body };
    let Ok(body) = serde_json::to_string(&envelope) else { return ApiError::Internal.into_response() };
    let mut response = Response::new(Body::from(body));
    verification.set_headers(response.headers_mut());
    response.headers_mut().insert(EXECUTED_VERSION, HeaderValue::from_static("$LATEST"));
    leave_for_the_log(&mut response, verification.error);
    response
}
