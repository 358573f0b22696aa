//! What the log, the metrics and the traces may know of a request.

use crate::sts::Verdict;
use std::sync::Arc;

/// The route in the log of a path that is none of ours.
pub(crate) const UNMATCHED: &str = "unmatched";

/// A status for the log alone: the client left before it was answered (nginx's number for it).
pub(crate) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What the log may know of a call to STS. A handler leaves it in the response's extensions.
#[derive(Debug, Clone, Default)]
pub struct CallRecord {
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

/// A text of STS's as the log may hold it: a code or an id. Anything else may repeat the request.
pub(crate) fn plain(text: Option<&str>) -> Option<&str> {
    let sane = |text: &str| {
        text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    text.map(|text| if sane(text) { text } else { "unreadable" })
}
