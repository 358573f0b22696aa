//! What the log, the metrics and the traces may know of a request.

use crate::callers::api_keys::KeyName;
use crate::sts::Verdict;
use std::sync::{Arc, Mutex, PoisonError};

/// The route in the log of a path that is none of ours.
pub(crate) const UNMATCHED: &str = "unmatched";

/// A status for the log alone: the client left before it was answered (nginx's number for it).
pub(crate) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What the log may know of a request and of its call to STS.
#[derive(Debug, Clone, Default)]
pub struct CallRecord {
    /// What the log calls the API key that the request came with.
    pub(crate) api_key: Option<KeyName>,
    /// The verdict, when STS was asked.
    pub verdict: Option<Verdict>,
    /// STS's request id.
    pub sts_request_id: Option<String>,
    /// The account of valid credentials.
    pub account: Option<String>,
    /// The access key id's first and last four characters.
    pub access_key: Option<String>,
    /// The region that was asked.
    pub region: Option<Arc<str>>,
    /// How many attempts came before the one that was answered.
    pub retries: Option<u32>,
    /// Where the answer came from when STS was not asked for it: `in_flight` or `cache`.
    pub shared: Option<&'static str>,
    /// What went wrong inside this program.
    pub fault: Option<&'static str>,
}

/// The record of one request, in the request's extensions. Layers and handlers write down what they learn at once, so that
/// the log line has it even if the client leaves a moment later.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedRecord(Arc<Mutex<CallRecord>>);

impl SharedRecord {
    /// Writes something down.
    pub(crate) fn update(&self, change: impl FnOnce(&mut CallRecord)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is known by now; empty afterwards.
    pub(crate) fn take(&self) -> CallRecord {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A text of STS's as the log may hold it: a code or an id. Anything else may repeat the request.
pub(crate) fn plain(text: Option<&str>) -> Option<&str> {
    let sane = |text: &str| {
        text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    text.map(|text| if sane(text) { text } else { "unreadable" })
}
