//! The error messages, for people. No message contains any part of a request.

use super::ApiError;
use crate::sts::StsFailure;
use std::borrow::Cow;

impl ApiError {
    /// The message; `None` where STS gave an empty one.
    pub(super) fn message(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Rejected(no) => return no.message.clone().map(Cow::from),
            Self::Invalid(error) => error.to_string().into(),
            Self::Proof(error) => error.to_string().into(),
            Self::Sts(StsFailure::Internal(_)) => Self::Internal.fixed_message().into(),
            Self::Sts(failure) => failure.to_string().into(),
            Self::UnsupportedMediaType(accepted) => format!("The Content-Type must be {accepted}.").into(),
            Self::UnsupportedContentCoding(coding) => {
                format!("The request body must have no Content-Encoding; it has {coding}.").into()
            }
            Self::Head(error) => error.message().into(),
            other => other.fixed_message().into(),
        })
    }

    /// The message of an error whose message is always the same.
    fn fixed_message(&self) -> &'static str {
        match self {
            Self::Internal => "An internal error occurred; the log has the details under this request id.",
            Self::RegionNotAllowed => {
                "This service does not use the STS of that region (region, AWS_REGION or AWS_DEFAULT_REGION)."
            }
            Self::TooLarge => "The request body is too large.",
            Self::TooManyLines => {
                "The batch has more lines than this service takes; post the rest in another batch."
            }
            Self::BatchDeadline => {
                "The deadline of the batch came before this line was answered; post it again."
            }
            Self::BodyTimeout => "The request body did not arrive in time.",
            Self::BodyCutOff => "The request body ended too early.",
            Self::NotFound => "There is nothing at this path; use POST /verify.",
            Self::NoSuchPolicy => "There is no policy of that name (STS_VERIFY_POLICIES_FILE).",
            Self::NoProof => {
                "The request has no proof, either in x-sts-verify-proof or as Authorization: Bearer PROOF."
            }
            Self::Forbidden => "The policy does not allow this principal.",
            Self::MethodNotAllowed => "This path does not take that method; see the Allow header.",
            Self::MisdirectedRequest => "This service is not allowed to answer for that host.",
            Self::InvalidRequestContent => "Could not parse the request body into JSON.",
            Self::UnsupportedInvocationType => {
                "X-Amz-Invocation-Type must be RequestResponse or DryRun; asynchronous invocations are not supported."
            }
            Self::Unauthorized { has_key: false } => {
                "This service requires an API key, as Authorization: Bearer KEY or as x-api-key: KEY."
            }
            Self::Unauthorized { has_key: true } => "The API key is not one of this service's keys.",
            Self::RateLimited { .. } => "This caller sends more requests than this service allows.",
            Self::AuthenticationLimited { .. } => {
                "Too many requests without a valid API key came from this address."
            }
            Self::ProofNotAccepted => "This service does not accept what was posted (STS_VERIFY_ACCEPT).",
            Self::ReplayStoreUnavailable => {
                "It cannot be found out whether the proof was used before: the store of used proofs cannot be reached."
            }
            Self::Overloaded => "The maximum number of requests is already waiting for STS.",
            Self::BodiesOverloaded => "Request bodies take as much memory as this service allows.",
            Self::ConnectionsOverloaded => "The maximum number of connections is open.",
            Self::TooManyConnections => "This address has its maximum number of connections open.",
            // See `message`.
            Self::Rejected(_)
            | Self::Invalid(_)
            | Self::Proof(_)
            | Self::Sts(_)
            | Self::UnsupportedMediaType(_)
            | Self::UnsupportedContentCoding(_)
            | Self::Head(_) => "",
        }
    }
}
