//! What is done for a question, one step after the other, until one of them says enough.

use super::answer::Verdict;
use super::ask::{Attempt, partition};
use crate::credentials::PostedProof;
use crate::sts::{StsCall, StsClient};
use std::sync::Arc;

/// STS's code for a signature that does not match: of a presigned URL, perhaps because it is for another audience.
const SIGNATURE_DOES_NOT_MATCH: &str = "SignatureDoesNotMatch";

/// The steps of a question.
pub(super) enum Steps {
    /// One call, put to one partition after the other while the key is unknown.
    Partitions { call: StsCall, clients: Vec<Arc<StsClient>>, access_key_id: String },
    /// Calls for one audience after the other, put to the STS of their host while the signature does not match.
    Audiences { client: Arc<StsClient>, calls: Vec<StsCall>, access_key_id: String },
    /// A token, verified with its issuer's keys.
    Token(PostedProof),
}

/// One of them.
pub(super) enum Step<'a> {
    /// The STS, the call, and whose key it is about.
    Ask(&'a StsClient, &'a StsCall, &'a str),
    Verify(&'a PostedProof),
}

impl Steps {
    /// The step of this number, from 0.
    pub(super) fn get(&self, number: usize) -> Option<Step<'_>> {
        match self {
            Self::Partitions { call, clients, access_key_id } => {
                Some(Step::Ask(clients.get(number)?, call, access_key_id))
            }
            Self::Audiences { client, calls, access_key_id } => {
                Some(Step::Ask(client, calls.get(number)?, access_key_id))
            }
            Self::Token(token) => (number == 0).then_some(Step::Verify(token)),
        }
    }

    /// Whether what came of a step leaves the next one to be done.
    pub(super) fn leaves_open(&self, attempt: &Attempt) -> bool {
        match self {
            Self::Partitions { .. } => attempt.leaves_open(),
            Self::Audiences { .. } => {
                let answer = &attempt.answer;
                answer.verdict == Verdict::Invalid
                    && answer.error_code.as_deref() == Some(SIGNATURE_DOES_NOT_MATCH)
            }
            Self::Token(_) => false,
        }
    }

    /// Whether what was heard before the last step counts: that a signature is for another audience says nothing of this one.
    pub(super) fn all_count(&self) -> bool {
        !matches!(self, Self::Audiences { .. })
    }
}

impl Step<'_> {
    /// Whose pace it goes by: the partition that is asked, or the issuers of tokens together.
    pub(super) fn lane(&self) -> &'static str {
        match self {
            Self::Ask(client, ..) => partition(client),
            Self::Verify(_) => "issuers of tokens",
        }
    }
}
