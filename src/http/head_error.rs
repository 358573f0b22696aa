//! The errors in the head of a request.

use axum::http::StatusCode;

/// Why the head of a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    /// The parser cannot parse it.
    Malformed,
    /// There is no Host header, more than one, or an invalid one.
    InvalidHost,
    /// A transfer coding other than chunked, or chunked more than once.
    UnsupportedTransferEncoding,
    /// It is longer than this service allows, or has more headers.
    TooLarge,
    /// The client speaks another version of HTTP than 1.0 and 1.1.
    VersionNotSupported,
}

impl HeadError {
    /// The status of the response, and the error code.
    pub(super) fn class(self) -> (StatusCode, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "MalformedRequest"),
            Self::InvalidHost => (StatusCode::BAD_REQUEST, "InvalidHost"),
            Self::UnsupportedTransferEncoding => (StatusCode::BAD_REQUEST, "UnsupportedTransferEncoding"),
            Self::TooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RequestHeaderFieldsTooLarge"),
            Self::VersionNotSupported => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "HttpVersionNotSupported"),
        }
    }

    /// What happened, for people.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Malformed => "The request line or a header is malformed.",
            Self::InvalidHost => "The request must have one Host header with a valid name or address.",
            Self::UnsupportedTransferEncoding => {
                "The only Transfer-Encoding of this service is chunked, applied once."
            }
            Self::TooLarge => "The request line and the headers are too large.",
            Self::VersionNotSupported => "This service speaks HTTP/1.1 and HTTP/1.0.",
        }
    }
}
