//! What is told of each error, for people. No text holds any part of a request.

use super::ApiError;
use crate::sts::StsFailure;
use std::borrow::Cow;

impl ApiError {
    /// The message; `None` where STS gave an empty one.
    pub(super) fn message(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Rejected(no) => return no.message.clone().map(Cow::from),
            Self::Invalid(refusal) => refusal.to_string().into(),
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

    /// The message of an error that has always the same.
    fn fixed_message(&self) -> &'static str {
        match self {
            Self::Internal => "An internal error occurred; the log has the details under this request id.",
            Self::RegionNotAllowed => {
                "This service does not ask the STS of that region (region, AWS_REGION or AWS_DEFAULT_REGION)."
            }
            Self::TooLarge => "The request body is too large.",
            Self::TooManyLines => {
                "The batch has more lines than this service takes; post the rest in another."
            }
            Self::BatchDeadline => {
                "The time of the batch was over before this line was answered; post it again."
            }
            Self::BodyTimeout => "The request body did not arrive in time.",
            Self::BodyCutOff => "The request body ended too early.",
            Self::NotFound => "There is nothing at this path; POST /verify is what you want.",
            Self::NoSuchPolicy => "There is no policy of that name (STS_VERIFY_POLICIES_FILE).",
            Self::NoProof => {
                "There is no proof, neither in x-sts-verify-proof nor as Authorization: Bearer PROOF."
            }
            Self::Forbidden => "The policy does not let this principal pass.",
            Self::MethodNotAllowed => "This path does not take that method; see the Allow header.",
            Self::MisdirectedRequest => "This service is not allowed to answer for that host.",
            Self::InvalidRequestContent => "Could not parse the request body into JSON.",
            Self::UnsupportedInvocationType => {
                "X-Amz-Invocation-Type must be RequestResponse or DryRun: an answer that nobody waits for is none."
            }
            Self::Unauthorized { key_given: false } => {
                "This service wants an API key, as Authorization: Bearer KEY or as x-api-key: KEY."
            }
            Self::Unauthorized { key_given: true } => "The API key is none of this service's.",
            Self::RateLimited { .. } => "This caller asks more often than this service allows.",
            Self::AuthenticationLimited { .. } => {
                "Too many requests without a good API key came from this address."
            }
            Self::ProofNotAccepted => "This service does not accept what was posted (STS_VERIFY_ACCEPT).",
            Self::ReplayStoreUnavailable => {
                "It cannot be found out whether the proof was used before: the store of used proofs cannot be asked."
            }
            Self::Overloaded => "As many requests as this service takes are waiting for STS.",
            Self::BodiesOverloaded => "Request bodies take as much memory as this service allows.",
            Self::ConnectionsOverloaded => "As many connections as this service takes are open.",
            Self::TooManyConnections => "This address has as many connections as allowed.",
            // Those of `message`.
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
