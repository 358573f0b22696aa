//! What STS says when it says no: a status, a code and a message.
//!
//! The messages are contract.md's, as they were recorded, dots and trailing spaces included; those that it does not
//! record (marked so below) are worded as STS and its sister services word them in public reports. Clients and the
//! service under test compare these texts, so they are written once, here.

use std::borrow::Cow;

use http::StatusCode;

/// One refusal, before it is rendered as XML or JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a fixed message; `const`, so that rows of the table can hold one.
    pub const fn fixed(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message) }
    }

    fn worded(status: StatusCode, code: &'static str, message: String) -> Self {
        Self { status, code, message: Cow::Owned(message) }
    }

    /// Neither an Authorization header nor a signature in the query.
    pub const fn missing_authentication_token() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
    }

    /// Anything wrong with the form of the Authorization header or of the `X-Amz-` parameters.
    pub fn incomplete_signature(message: String) -> Self {
        Self::worded(StatusCode::BAD_REQUEST, "IncompleteSignature", message)
    }

    /// A clock that is off, a scope that is wrong, or the signature itself: STS has one code for all of them.
    pub fn signature_does_not_match(message: String) -> Self {
        Self::worded(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
    }

    /// The right key and token, another secret (or a request changed on its way).
    pub const fn wrong_signature() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. \
             Consult the service documentation for details.",
        )
    }

    /// A key that does not exist, or that came without its token or with another's.
    pub const fn invalid_token() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    }

    /// A key that this region does not know. The only difference to [`Self::invalid_token`] is the missing dot.
    pub const fn unknown_in_region() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        )
    }

    /// A session that is over.
    pub const fn expired() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    }

    /// An action or version that STS does not have (not recorded). So does the sandbox for those that it has not.
    pub fn invalid_action(action: &str, version: &str) -> Self {
        let message = format!("Could not find operation {action} for version {version}");
        Self::worded(StatusCode::BAD_REQUEST, "InvalidAction", message)
    }

    /// `Receiver` where the fault is on STS's side.
    pub fn kind(&self) -> &'static str {
        if self.status.is_server_error() { "Receiver" } else { "Sender" }
    }
}
