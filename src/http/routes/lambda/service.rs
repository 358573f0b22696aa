//! What the Lambda service itself sends. It is the outermost layer, so that every response on this route, also
//! for a limit, a wrong method or a panic, has the format that Lambda's clients expect.

use super::PATH;
use crate::http::error::ApiError;
use crate::http::middleware::request_id::REQUEST_ID_HEADER;
use crate::observability::last_line;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::FutureExt as _;
use serde::Serialize;
use std::borrow::Cow;
use std::convert::Infallible;
use tower::{Service, ServiceExt as _, service_fn};
use utoipa::ToSchema;

const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");

/// The end of the log, in base64.
pub(crate) const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");

/// The request's id, under the name that AWS's clients read.
pub(crate) const AMAZON_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The name of the error, from which clients derive the class of their exception.
pub(crate) const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The length of the log's end that Lambda returns: 4 KB.
const LOG_BYTES: usize = 4096;

/// The body of an error of Lambda itself, without a run of the function.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ServiceError<'a> {
    /// Who is at fault: the client (`User`) or the service.
    #[serde(rename = "Type")]
    #[schema(example = "User")]
    fault: Fault,
    /// What happened, for people.
    #[schema(value_type = String, example = "Could not parse the request body into JSON.")]
    message: Cow<'a, str>,
}

/// Who is at fault for an error.
#[derive(Debug, Serialize, ToSchema)]
enum Fault {
    User,
    Service,
}

/// Completes the responses on the route of the Lambda interface. It must be outside of the access log, which
/// gives the request its id and its line.
pub(crate) fn speak_as_lambda<S>(
    inner: S,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send,
{
    service_fn(move |request: Request| {
        let route = request.extensions().get::<MatchedPath>();
        let invocation = route.is_some_and(|route| route.as_str() == PATH);
        let tail = invocation && request.headers().get(LOG_TYPE).is_some_and(|kind| kind == "Tail");
        // Not `async`: a future that is captured and then awaited has two places in the one around it.
        last_line::catch(tail, inner.clone().oneshot(request)).map(move |(answer, line)| {
            let mut response = answer?;
            if invocation {
                complete(&mut response);
            }
            if tail && response.status() == 200 {
                response.headers_mut().insert(LOG_RESULT, log_result(&line));
            }
            Ok(response)
        })
    })
}

/// The end of a text, in base64. What does not fit is left out at the beginning.
fn log_result(line: &str) -> HeaderValue {
    let end = &line.as_bytes()[line.len().saturating_sub(LOG_BYTES)..];
    HeaderValue::try_from(BASE64_STANDARD.encode(end)).unwrap_or(HeaderValue::from_static(""))
}

fn complete(response: &mut Response) {
    if let Some(id) = response.headers().get(REQUEST_ID_HEADER).cloned() {
        response.headers_mut().insert(AMAZON_REQUEST_ID, id);
    }
    // With status 200 the error is the function's: it is in the envelope.
    if response.status().is_success() {
        return;
    }
    let Some(error) = response.extensions().get::<ApiError>() else { return };
    let name = HeaderValue::try_from(&*name(error)).unwrap_or(HeaderValue::from_static("ServiceException"));
    let fault = if response.status().is_server_error() { Fault::Service } else { Fault::User };
    let message = error.answer().body.error_message.unwrap_or_default();
    let body = serde_json::to_string(&ServiceError { fault, message }).unwrap_or_default();
    response.headers_mut().insert(ERROR_TYPE, name);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(body);
}

/// Lambda's name for an error, or AWS's if Lambda has none. Other errors keep our code, which no client of
/// Lambda expects.
fn name(error: &ApiError) -> Cow<'static, str> {
    match error {
        ApiError::InvalidRequestContent | ApiError::BodyCutOff => "InvalidRequestContentException".into(),
        ApiError::UnsupportedInvocationType => "InvalidParameterValueException".into(),
        ApiError::TooLarge => "RequestTooLargeException".into(),
        ApiError::UnsupportedMediaType(_) => "UnsupportedMediaTypeException".into(),
        // Clients try again after this one.
        ApiError::BodyTimeout => "RequestTimeoutException".into(),
        ApiError::Unauthorized { .. } => "UnrecognizedClientException".into(),
        ApiError::RateLimited { .. } | ApiError::AuthenticationLimited { .. } => {
            "TooManyRequestsException".into()
        }
        other if other.answer().status.is_server_error() => "ServiceException".into(),
        other => other.code(),
    }
}
