//! An example of every error, made by the code that makes the real ones.

use crate::credentials::ValidationError;
use crate::http::error::ApiError;
use crate::proof::ProofError;
use crate::sts::{ConnectFailure, Endpoint, Rejection, StsFailure, Verdict};

/// One of every error, under its code, with a suffix where a code has several meanings.
pub(super) fn errors() -> Vec<(&'static str, ApiError)> {
    let endpoint = || Endpoint::new("https://sts.us-east-1.amazonaws.com");
    let mut errors = vec![
        ("MalformedJson", ApiError::Invalid(ValidationError::MalformedJson)),
        ("MalformedJson-encoding", ApiError::Invalid(ValidationError::NotUtf8)),
        ("MissingParameter", ApiError::Invalid(ValidationError::Missing("stsSecretKey"))),
        ("InvalidParameter", ApiError::Invalid(ValidationError::Invalid("stsAccessKey", "must be a string"))),
        (
            "DuplicateParameter",
            ApiError::Invalid(ValidationError::Duplicate("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")),
        ),
        ("RegionNotAllowed", ApiError::RegionNotAllowed),
        ("IncompleteBody", ApiError::BodyCutOff),
        ("RequestTimeout", ApiError::BodyTimeout),
        ("RequestTooLarge", ApiError::TooLarge),
        ("UnsupportedMediaType", ApiError::UnsupportedMediaType("application/json")),
        ("UnsupportedMediaType-coding", ApiError::UnsupportedContentCoding("gzip")),
        ("MisdirectedRequest", ApiError::MisdirectedRequest),
        ("InternalError", ApiError::Internal),
        (
            "EndpointConnectionError",
            ApiError::Sts(StsFailure::Unreachable(endpoint(), ConnectFailure::Route)),
        ),
        ("ConnectionClosedError", ApiError::Sts(StsFailure::Closed(endpoint()))),
        (
            "ResponseParserError",
            ApiError::Sts(StsFailure::NotSts {
                endpoint: endpoint(),
                status: 200,
                well_formed: false,
                code: None,
            }),
        ),
        ("Unauthorized", ApiError::Unauthorized { has_key: false }),
        ("Unauthorized-wrong", ApiError::Unauthorized { has_key: true }),
        ("RateLimited", ApiError::RateLimited { retry_after: 12 }),
        ("Overloaded", ApiError::Overloaded),
        ("ConnectTimeoutError", ApiError::Sts(StsFailure::ConnectTimeout(endpoint()))),
        ("ReadTimeoutError", ApiError::Sts(StsFailure::ReadTimeout(endpoint()))),
    ];
    errors.extend(proof_errors());
    errors.extend(rejections());
    errors
}

fn rejections() -> impl Iterator<Item = (&'static str, ApiError)> {
    REJECTIONS.into_iter().map(|(key, code, message, status)| {
        let rejection = Rejection {
            code: code.to_owned(),
            message: Some(message.to_owned()),
            status,
            request_id: None,
            verdict: Verdict::Indeterminate,
        };
        (key, ApiError::Rejected(rejection))
    })
}

/// The errors that only proofs have.
fn proof_errors() -> impl Iterator<Item = (&'static str, ApiError)> {
    let proof_errors = ProofError::EXAMPLES.into_iter().map(|error| (error.code(), ApiError::Proof(error)));
    proof_errors.chain([
        ("ProofNotAccepted", ApiError::ProofNotAccepted),
        ("ReplayStoreUnavailable", ApiError::ReplayStoreUnavailable),
    ])
}

/// Recorded errors of STS: a name for the case, code, message, HTTP status.
const REJECTIONS: [(&str, &str, &str, u16); 15] = [
    (
        "InvalidClientTokenId",
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        403,
    ),
    ("ExpiredToken", "ExpiredToken", "The security token included in the request is expired", 403),
    (
        "SignatureDoesNotMatch",
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
        403,
    ),
    (
        "SignatureDoesNotMatch-clock",
        "SignatureDoesNotMatch",
        "Signature expired: 20220127T001427Z is now earlier than 20220127T014428Z (20220127T015928Z - 15 min.)",
        403,
    ),
    (
        "SignatureDoesNotMatch-region",
        "SignatureDoesNotMatch",
        "Credential should be scoped to a valid region. ",
        403,
    ),
    (
        "MissingAuthenticationToken",
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
        403,
    ),
    (
        "IncompleteSignature",
        "IncompleteSignature",
        "Authorization header requires 'Signature' parameter.",
        400,
    ),
    (
        "AccessDenied",
        "AccessDenied",
        "User: arn:aws:iam::123456789012:user/example-user is not authorized to perform: sts:GetCallerIdentity",
        403,
    ),
    ("RequestExpired", "RequestExpired", "Request has expired.", 400),
    (
        "RegionDisabledException",
        "RegionDisabledException",
        "STS is not activated in this region for account:123456789012.",
        403,
    ),
    ("Throttling", "Throttling", "Rate exceeded", 400),
    (
        "InternalFailure",
        "InternalFailure",
        "The request processing has failed because of an unknown error.",
        500,
    ),
    (
        "ServiceUnavailable",
        "ServiceUnavailable",
        "The request has failed due to a temporary failure of the server.",
        503,
    ),
    ("502", "502", "Bad Gateway", 502),
    ("503", "503", "Service Unavailable", 503),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::metrics::known_code;

    /// The classes of errors, which are literals of these sources, too.
    const EXCEPTIONS: [&str; 5] =
        ["ClientError", "ParamValidationError", "ProofError", "RequestError", "ServiceError"];

    /// All literals that look like an error code: those of the mapping itself, so that none is missed.
    fn codes() -> impl Iterator<Item = &'static str> {
        let sources = [include_str!("../error.rs"), include_str!("../head_error.rs")];
        let literals = sources.into_iter().flat_map(|source| source.split('"').skip(1).step_by(2));
        literals.filter(|text| {
            text.starts_with(char::is_uppercase)
                && text.bytes().all(|byte| byte.is_ascii_alphabetic())
                && !EXCEPTIONS.contains(text)
        })
    }

    #[test]
    fn every_error_code_has_its_own_series_in_the_metrics() {
        let codes: Vec<_> = codes().collect();
        assert!(codes.contains(&"Forbidden") && codes.contains(&"InvalidHost"), "{codes:?}");
        let examples: Vec<_> = errors().into_iter().map(|(_, error)| error.code()).collect();
        for code in codes.into_iter().chain(examples.iter().map(AsRef::as_ref)) {
            assert_eq!(known_code(code), code);
        }
    }
}
