//! The only map from errors to HTTP statuses and bodies.
//!
//! Every body that is not a success has the shape of [`ErrorBody`], the one in which the Lambda function
//! reported botocore's errors.

mod messages;

use crate::credentials::ValidationError;
use crate::http::head_error::HeadError;
use crate::proof::ProofError;
use crate::sts::{Rejection, StsFailure};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// Every error that a request can end with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// The body is invalid. STS was not called.
    Invalid(ValidationError),
    /// The request names a region that the operator does not allow.
    RegionNotAllowed,
    /// The `Content-Type` is not this one.
    UnsupportedMediaType(&'static str),
    /// The body has a `Content-Encoding`, such as this one.
    UnsupportedContentCoding(&'static str),
    /// The head is invalid.
    Head(HeadError),
    /// The body is longer than the operator allows.
    TooLarge,
    /// The batch has more lines than the operator allows; this line is the first one too many.
    TooManyLines,
    /// The deadline of the batch came before the line was answered.
    BatchDeadline,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body broke off.
    BodyCutOff,
    /// No such path.
    NotFound,
    /// The gate has no such policy.
    NoSuchPolicy,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// The request is for a host that is not one of the operator's.
    MisdirectedRequest,
    /// The payload of a Lambda invocation is not JSON.
    InvalidRequestContent,
    /// An invocation type of Lambda that is not supported.
    UnsupportedInvocationType,
    /// STS answered with an error.
    Rejected(Rejection),
    /// STS could not be called, or its answer could not be read.
    Sts(StsFailure),
    /// The request has no API key, or no key that the operator configured.
    Unauthorized {
        /// Whether the request had a key.
        has_key: bool,
    },
    /// This caller sends more requests than the operator allows.
    RateLimited {
        /// The number of seconds after which it may send another.
        retry_after: u16,
    },
    /// Too many requests without a valid API key came from this address.
    AuthenticationLimited {
        /// The number of seconds after which another one is accepted.
        retry_after: u16,
    },
    /// The proof is not valid for this service. STS was not called.
    Proof(ProofError),
    /// What was posted is of a kind that the operator does not accept.
    ProofNotAccepted,
    /// The store of used proofs cannot be reached.
    ReplayStoreUnavailable,
    /// A request to a gate has no proof.
    NoProof,
    /// The proof is valid, but the policy does not allow its principal.
    Forbidden,
    /// The maximum number of requests is already in flight.
    Overloaded,
    /// The bodies being read take all the memory that the operator allows.
    BodiesOverloaded,
    /// The maximum number of connections is open.
    ConnectionsOverloaded,
    /// This client's address has its maximum number of connections open.
    TooManyConnections,
    /// A fault of this program. The answer says nothing more about it; the log does.
    Internal,
}

/// The body of every error response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The class of the error: botocore's exception where boto3 would have raised one.
    #[schema(value_type = String, example = "ClientError")]
    pub exception: &'static str,
    /// The error's code: that of STS in STS's spelling, or one of this service.
    #[schema(value_type = String, example = "ExpiredToken")]
    pub error_code: Cow<'static, str>,
    /// What happened, for people. Null where STS gave an empty message.
    #[schema(value_type = Option<String>, example = "The security token included in the request is expired")]
    pub error_message: Option<Cow<'static, str>>,
}

/// The parts of an error response.
pub struct ErrorAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: ErrorBody,
    /// The number of seconds after which to try again, where that may help.
    pub retry_after: Option<u16>,
    /// A header that says what would be accepted.
    pub accepted: Option<(HeaderName, &'static str)>,
}

/// STS was throttling, failing or out of reach. Five seconds do not make that worse.
const RETRY_STS: Option<u16> = Some(5);
/// This service was at its limit: a permit is free again within the time of one call.
const RETRY_HERE: Option<u16> = Some(1);

impl ApiError {
    /// The error code in responses, logs and metrics.
    #[must_use]
    pub fn code(&self) -> Cow<'static, str> {
        self.class().2
    }

    /// The response for a caller.
    #[must_use]
    pub fn answer(&self) -> ErrorAnswer {
        let (status, exception, code) = self.class();
        let retry_after = match self {
            Self::Overloaded
            | Self::BodiesOverloaded
            | Self::ConnectionsOverloaded
            | Self::TooManyConnections
            | Self::ReplayStoreUnavailable => RETRY_HERE,
            Self::RateLimited { retry_after } | Self::AuthenticationLimited { retry_after } => {
                Some(*retry_after)
            }
            Self::Sts(StsFailure::Internal(_)) => None,
            Self::Sts(_) => RETRY_STS,
            Self::Rejected(rejection) if rejection.is_transient() => RETRY_STS,
            _ => None,
        };
        let body = ErrorBody { exception, error_code: code, error_message: self.message() };
        ErrorAnswer { status, body, retry_after, accepted: self.accepted() }
    }

    /// The header that says what would be accepted, by RFC 6750 (section 3) and RFC 9110 (section 15.5.16).
    fn accepted(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            // RFC 6750 wants no error named when the request had no key.
            Self::Unauthorized { has_key: false } => Some((WWW_AUTHENTICATE, "Bearer realm=\"sts-verify\"")),
            Self::Unauthorized { has_key: true } => {
                Some((WWW_AUTHENTICATE, "Bearer realm=\"sts-verify\", error=\"invalid_token\""))
            }
            Self::UnsupportedMediaType(accepted) => Some((ACCEPT, accepted)),
            Self::UnsupportedContentCoding(_) => Some((ACCEPT_ENCODING, "identity")),
            _ => None,
        }
    }

    fn class(&self) -> (StatusCode, &'static str, Cow<'static, str>) {
        let (status, exception, code) = match self {
            Self::Rejected(no) => {
                return (StatusCode::BAD_REQUEST, "ClientError", no.code.clone().into());
            }
            Self::Invalid(error) => (StatusCode::BAD_REQUEST, "ParamValidationError", validation_code(error)),
            Self::RegionNotAllowed => (StatusCode::BAD_REQUEST, "ParamValidationError", "RegionNotAllowed"),
            Self::UnsupportedMediaType(_) | Self::UnsupportedContentCoding(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "RequestError", "UnsupportedMediaType")
            }
            Self::Head(error) => {
                let (status, code) = error.class();
                return (status, "RequestError", code.into());
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "RequestError", "RequestTooLarge"),
            Self::TooManyLines => (StatusCode::PAYLOAD_TOO_LARGE, "RequestError", "TooManyLines"),
            Self::BatchDeadline => (StatusCode::GATEWAY_TIMEOUT, "ServiceError", "BatchDeadline"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "RequestError", "RequestTimeout"),
            Self::BodyCutOff => (StatusCode::BAD_REQUEST, "RequestError", "IncompleteBody"),
            Self::NotFound | Self::NoSuchPolicy => (StatusCode::NOT_FOUND, "RequestError", "NotFound"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "RequestError", "MethodNotAllowed"),
            Self::MisdirectedRequest => {
                (StatusCode::MISDIRECTED_REQUEST, "RequestError", "MisdirectedRequest")
            }
            Self::InvalidRequestContent => {
                (StatusCode::BAD_REQUEST, "RequestError", "InvalidRequestContentException")
            }
            Self::UnsupportedInvocationType => {
                (StatusCode::BAD_REQUEST, "RequestError", "InvalidParameterValueException")
            }
            Self::Sts(failure) => failure_class(failure),
            Self::Proof(error) => (StatusCode::BAD_REQUEST, "ProofError", error.code()),
            Self::ProofNotAccepted => (StatusCode::BAD_REQUEST, "ParamValidationError", "ProofNotAccepted"),
            Self::ReplayStoreUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceError", "ReplayStoreUnavailable")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "ServiceError", "Forbidden"),
            Self::Unauthorized { .. } | Self::NoProof => {
                (StatusCode::UNAUTHORIZED, "ServiceError", "Unauthorized")
            }
            Self::RateLimited { .. } | Self::AuthenticationLimited { .. } | Self::TooManyConnections => {
                (StatusCode::TOO_MANY_REQUESTS, "ServiceError", "RateLimited")
            }
            Self::Overloaded | Self::BodiesOverloaded | Self::ConnectionsOverloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceError", "Overloaded")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceError", "InternalError"),
        };
        (status, exception, code.into())
    }
}

fn validation_code(error: &ValidationError) -> &'static str {
    match error {
        ValidationError::MalformedJson | ValidationError::NotUtf8 => "MalformedJson",
        ValidationError::Missing(_) => "MissingParameter",
        ValidationError::Invalid(..) => "InvalidParameter",
        ValidationError::Duplicate(..) => "DuplicateParameter",
        ValidationError::NotAccepted => "ProofNotAccepted",
    }
}

/// botocore's exception class for a failed call to STS. The class is also the error code.
fn failure_class(failure: &StsFailure) -> (StatusCode, &'static str, &'static str) {
    let (status, class) = match failure {
        StsFailure::Unreachable(..) => (StatusCode::BAD_GATEWAY, "EndpointConnectionError"),
        StsFailure::Closed(_) => (StatusCode::BAD_GATEWAY, "ConnectionClosedError"),
        StsFailure::ConnectTimeout(_) => (StatusCode::GATEWAY_TIMEOUT, "ConnectTimeoutError"),
        StsFailure::ReadTimeout(_) => (StatusCode::GATEWAY_TIMEOUT, "ReadTimeoutError"),
        StsFailure::TooLong(_) | StsFailure::NotSts { .. } => {
            (StatusCode::BAD_GATEWAY, "ResponseParserError")
        }
        StsFailure::Internal(_) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, "ServiceError", "InternalError");
        }
    };
    (status, class, class)
}

impl From<ValidationError> for ApiError {
    fn from(error: ValidationError) -> Self {
        Self::Invalid(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let answer = self.answer();
        let mut response = (answer.status, axum::Json(answer.body)).into_response();
        if let Some(seconds) = answer.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((name, accepted)) = answer.accepted {
            response.headers_mut().insert(name, HeaderValue::from_static(accepted));
        }
        // For the layers around the routes: the access log takes the code from it, and the Lambda interface
        // turns it into Lambda's format.
        response.extensions_mut().insert(self);
        response
    }
}
