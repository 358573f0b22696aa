//! The error codes in labels and attributes.

/// The error codes that have a series of their own. STS may return any text as a code.
const CODES: [&str; 60] = [
    "500",
    "502",
    "503",
    "504",
    "AccessDenied",
    "AudienceMismatch",
    "BatchDeadline",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "DuplicateParameter",
    "EndpointConnectionError",
    "EndpointNotAllowed",
    "ExpiredToken",
    "Forbidden",
    "HttpVersionNotSupported",
    "IncompleteBody",
    "IncompleteSignature",
    "InternalError",
    "InternalFailure",
    "InvalidClientTokenId",
    "InvalidHost",
    "InvalidParameter",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "IssuerNotAllowed",
    "MalformedJson",
    "MalformedRequest",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "MissingAuthenticationToken",
    "MissingParameter",
    "NotFound",
    "Overloaded",
    "ProofExpired",
    "ProofNotAccepted",
    "ProofNotYetValid",
    "ProofReplayed",
    "RateLimited",
    "ReadTimeoutError",
    "RegionDisabledException",
    "RegionMismatch",
    "RegionNotAllowed",
    "ReplayStoreUnavailable",
    "RequestExpired",
    "RequestHeaderFieldsTooLarge",
    "RequestLimitExceeded",
    "RequestNotAllowed",
    "RequestTimeout",
    "RequestTooLarge",
    "ResponseParserError",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "SignatureMismatch",
    "Throttling",
    "ThrottlingException",
    "TokenNotAllowed",
    "TooManyLines",
    "Unauthorized",
    "UnsupportedMediaType",
    "UnsupportedTransferEncoding",
];

/// A code for a metric or a trace.
pub(crate) fn known_code(code: &str) -> &'static str {
    CODES.binary_search(&code).map_or("other", |index| CODES[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::code_for_log;

    #[test]
    fn the_codes_can_be_logged() {
        for code in CODES {
            assert_eq!(code_for_log(Some(code)), Some(code));
        }
    }

    #[test]
    fn the_codes_can_be_searched() {
        assert!(CODES.is_sorted());
    }
}
