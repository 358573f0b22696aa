//! The errors of STS: a status, a code and a message.
//!
//! The messages are those that STS was recorded to send, dots and trailing spaces included; those that were not
//! recorded (marked so below) are worded as STS and its sister services word them in public reports. Clients
//! compare these texts, so they are written once, here.

use std::borrow::Cow;

use http::StatusCode;

/// An error of STS, which it sends as an `ErrorResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsError {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
}

impl StsError {
    /// An error with this HTTP status, code (such as `AccessDenied`) and message.
    ///
    /// # Panics
    ///
    /// When `status` is not one of an error, 400 to 599.
    #[must_use]
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let status =
            StatusCode::from_u16(status).ok().filter(|it| it.is_client_error() || it.is_server_error());
        assert!(status.is_some(), "the status of an error is from 400 to 599");
        Self { status: status.unwrap_or_default(), code: code.into(), message: message.into() }
    }

    const fn fixed(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code: Cow::Borrowed(code), message: Cow::Borrowed(message) }
    }

    fn worded(status: StatusCode, code: &'static str, message: String) -> Self {
        Self { status, code: Cow::Borrowed(code), message: Cow::Owned(message) }
    }

    /// The error for an account that sends too many requests: status 400, code `Throttling`.
    #[must_use]
    pub const fn throttling() -> Self {
        Self::fixed(StatusCode::BAD_REQUEST, "Throttling", "Rate exceeded")
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The code, such as `SignatureDoesNotMatch`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message, as it is before it is escaped for XML or JSON.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Neither an Authorization header nor a signature in the query.
    pub(crate) const fn missing_authentication_token() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
    }

    /// Anything wrong with the form of the Authorization header or of the `X-Amz-` parameters.
    pub(crate) fn incomplete_signature(message: String) -> Self {
        Self::worded(StatusCode::BAD_REQUEST, "IncompleteSignature", message)
    }

    /// A clock that is off, a scope that is wrong, or the signature itself: STS has one code for all of them.
    pub(crate) fn signature_does_not_match(message: String) -> Self {
        Self::worded(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
    }

    /// The right key and token, another secret (or a request changed on its way).
    pub(crate) const fn wrong_signature() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. \
             Consult the service documentation for details.",
        )
    }

    /// A key that does not exist, or that came without its token or with another's.
    pub(crate) const fn invalid_token() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    }

    /// A key that this region does not know. The only difference to [`Self::invalid_token`] is the missing dot.
    pub(crate) const fn unknown_in_region() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        )
    }

    /// A session that has expired.
    pub(crate) const fn expired() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    }

    /// The error of a caller that fails now and then.
    pub(crate) const fn internal_failure() -> Self {
        Self::fixed(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "An internal error occurred.")
    }

    /// An action or version that STS does not have (not recorded). The sandbox also answers this for those that
    /// only the sandbox lacks.
    pub(crate) fn invalid_action(action: &str, version: &str) -> Self {
        let message = format!("Could not find operation {action} for version {version}");
        Self::worded(StatusCode::BAD_REQUEST, "InvalidAction", message)
    }

    /// A parameter that violates the operation's model.
    pub(crate) fn validation(message: String) -> Self {
        Self::worded(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    /// A parameter of a wrong type (not recorded).
    pub(crate) const fn malformed_input() -> Self {
        Self::fixed(
            StatusCode::BAD_REQUEST,
            "MalformedInput",
            "Unable to parse the value of DurationSeconds.",
        )
    }

    /// Two tags with the same key.
    pub(crate) const fn duplicate_tag_keys() -> Self {
        Self::fixed(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
    }

    /// A web identity token that would outlive the session that asks for it.
    pub(crate) const fn session_duration_escalation() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "SessionDurationEscalationException",
            "Requested token expiry time must be before the original session's expiry time.",
        )
    }

    /// An account whose issuer is switched off.
    pub(crate) const fn federation_disabled() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "OutboundWebIdentityFederationDisabledException",
            "OutboundWebIdentityFederation is disabled.",
        )
    }

    /// A web identity token that would be too long.
    pub(crate) const fn payload_size_exceeded() -> Self {
        Self::fixed(
            StatusCode::BAD_REQUEST,
            "JWTPayloadSizeExceededException",
            "JWT payload exceeds maximum allowed size",
        )
    }

    /// An operation that the global endpoint does not have.
    pub(crate) const fn not_on_the_global_endpoint() -> Self {
        Self::fixed(
            StatusCode::BAD_REQUEST,
            "InvalidAction",
            "Operation not supported on STS global endpoint",
        )
    }

    /// `Receiver` where the fault is on STS's side.
    pub(crate) fn kind(&self) -> &'static str {
        if self.status.is_server_error() { "Receiver" } else { "Sender" }
    }
}
