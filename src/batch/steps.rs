//! The steps for a request. They are done one after the other until one of them has a result that is final.

use super::answer::Verdict;
use super::attempt::{Attempt, partition};
use crate::credentials::PostedProof;
use crate::sts::{StsCall, StsClient};
use std::sync::Arc;

/// STS's code for a signature that does not match. For a presigned URL the reason may be that it is for another
/// audience.
const SIGNATURE_DOES_NOT_MATCH: &str = "SignatureDoesNotMatch";

/// The steps of a request.
pub(super) enum Steps {
    /// One call, sent to one partition after the other while the key is unknown.
    Partitions { call: StsCall, clients: Vec<Arc<StsClient>>, access_key_id: String },
    /// Calls for one audience after the other, sent to the STS of their host while the signature does not
    /// match.
    Audiences { client: Arc<StsClient>, calls: Vec<StsCall>, access_key_id: String },
    /// A token, verified with its issuer's keys.
    Token(PostedProof),
}

/// One step.
pub(super) enum Step<'a> {
    /// The client, the call, and the access key ID.
    Call(&'a StsClient, &'a StsCall, &'a str),
    Verify(&'a PostedProof),
}

impl Steps {
    /// The step with this number, from 0.
    pub(super) fn get(&self, number: usize) -> Option<Step<'_>> {
        match self {
            Self::Partitions { call, clients, access_key_id } => {
                Some(Step::Call(clients.get(number)?, call, access_key_id))
            }
            Self::Audiences { client, calls, access_key_id } => {
                Some(Step::Call(client, calls.get(number)?, access_key_id))
            }
            Self::Token(token) => (number == 0).then_some(Step::Verify(token)),
        }
    }

    /// Whether the next step must be done after this result.
    pub(super) fn needs_next(&self, attempt: &Attempt) -> bool {
        match self {
            Self::Partitions { .. } => attempt.needs_next(),
            Self::Audiences { .. } => {
                let answer = &attempt.answer;
                answer.verdict == Verdict::Invalid
                    && answer.error_code.as_deref() == Some(SIGNATURE_DOES_NOT_MATCH)
            }
            Self::Token(_) => false,
        }
    }

    /// Whether earlier results count: a signature for another audience says nothing about this one.
    pub(super) fn all_count(&self) -> bool {
        !matches!(self, Self::Audiences { .. })
    }
}

impl Step<'_> {
    /// The pace that it uses: that of its partition, or that of all issuers of tokens.
    pub(super) fn lane(&self) -> &'static str {
        match self {
            Self::Call(client, ..) => partition(client),
            Self::Verify(_) => "issuers of tokens",
        }
    }
}
