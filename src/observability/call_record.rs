//! What the log, the metrics and the traces may know of a request.

use crate::callers::api_keys::KeyName;
use crate::sts::Verdict;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

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
    /// The kind of the proof that was posted in place of credentials.
    pub proof: Option<&'static str>,
    /// The policy of the gate that was asked.
    pub policy: Option<String>,
    /// `jti` of a web identity token: what CloudTrail calls `webIdentityTokenId`.
    pub web_identity_token_id: Option<String>,
    /// The region that was asked.
    pub region: Option<Arc<str>>,
    /// How many attempts came before the one that was answered.
    pub retries: Option<u32>,
    /// Where the answer came from when STS was not asked for it: `in_flight` or `cache`.
    pub shared: Option<&'static str>,
    /// What came of the lines of a batch.
    pub(crate) batch: Option<BatchCounts>,
    /// What went wrong inside this program.
    pub fault: Option<&'static str>,
}

/// What came of the lines of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BatchCounts {
    /// Those that were answered.
    pub lines: u64,
    pub valid: u64,
    pub invalid: u64,
    pub indeterminate: u64,
}

impl BatchCounts {
    /// Counts a line with its verdict, if it has one.
    pub(crate) fn count(&mut self, verdict: Option<Verdict>) {
        self.lines += 1;
        match verdict {
            Some(Verdict::Valid) => self.valid += 1,
            Some(Verdict::Invalid) => self.invalid += 1,
            Some(Verdict::Indeterminate) => self.indeterminate += 1,
            None => {}
        }
    }
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

/// What stands in the log for a text that has not the form of what it should be. It may repeat the request.
const UNREADABLE: &str = "unreadable";

/// An error code as the log may hold it: words without anything between them, as all of STS's and of this service are, or
/// a status.
pub(crate) fn code_for_log(code: Option<&str>) -> Option<&str> {
    of_form(code, |text| is_words(text) || is_digits(text, 3))
}

/// A request id of STS as the log may hold it: a UUID.
pub(crate) fn request_id_for_log(id: Option<&str>) -> Option<&str> {
    of_form(id, |text| text.len() == 36 && Uuid::try_parse(text).is_ok())
}

/// An account as the log may hold it.
pub(crate) fn account_for_log(account: Option<&str>) -> Option<&str> {
    of_form(account, |text| is_digits(text, 12))
}

/// A web identity token's id as the log may hold it: a UUID, or what else is printable and as short.
pub(crate) fn token_id_for_log(id: Option<&str>) -> Option<&str> {
    of_form(id, |text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    })
}

/// A capital and other letters, of which no more than one in three is a capital: half of a secret's letters are.
fn is_words(text: &str) -> bool {
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    (4..=48).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphabetic())
        && capitals * 3 <= text.len()
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|b| b.is_ascii_digit())
}

fn of_form(text: Option<&str>, is_one: impl Fn(&str) -> bool) -> Option<&str> {
    text.map(|text| if is_one(text) { text } else { UNREADABLE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_its_form_is_logged() {
        for code in
            [" ExpiredToken", "wJalrXUtnFE", "FwoGZXIvYXd", "K7MDENGbPx", "k3Jv9QpZ", "[redacted]", "", "12"]
        {
            assert_eq!(code_for_log(Some(code)), Some(UNREADABLE), "{code}");
        }
        let id = "16fc956c-311e-4199-bee1-1680236e9698";
        assert_eq!(request_id_for_log(Some(id)), Some(id));
        for id in [
            "16fc956c311e4199bee11680236e9698",
            "{16fc956c-311e-4199-bee1-1680236e9698}",
            "1",
            "k3Jv9QpZ-7Tn2Wd",
        ] {
            assert_eq!(request_id_for_log(Some(id)), Some(UNREADABLE));
        }
        assert_eq!(account_for_log(Some("123456789012")), Some("123456789012"));
        for account in ["1234", "k3Jv9QpZ7Tn2", "1234567890123"] {
            assert_eq!(account_for_log(Some(account)), Some(UNREADABLE));
        }
        assert_eq!(code_for_log(None), None);
    }
}
