//! The data of a request that logs, metrics and traces may contain.

use crate::callers::api_keys::KeyName;
use crate::sts::Verdict;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// The route in the log for unknown paths.
pub(crate) const UNMATCHED: &str = "unmatched";

/// A status for the log only: the client left before the response (nginx's number for it).
pub(crate) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The data of a request and of its call to STS that the log may contain.
#[derive(Debug, Clone, Default)]
pub struct CallRecord {
    /// The name of the request's API key.
    pub(crate) api_key: Option<KeyName>,
    /// The verdict, if STS was called.
    pub verdict: Option<Verdict>,
    /// The request id of STS.
    pub sts_request_id: Option<String>,
    /// The account of valid credentials.
    pub account: Option<String>,
    /// The access key id's first and last four characters.
    pub access_key: Option<String>,
    /// The kind of the posted proof.
    pub proof: Option<&'static str>,
    /// The policy of the gate.
    pub policy: Option<String>,
    /// The claim `jti` of a web identity token, which CloudTrail calls `webIdentityTokenId`.
    pub web_identity_token_id: Option<String>,
    /// The region that was used.
    pub region: Option<Arc<str>>,
    /// The number of attempts before the last one.
    pub retries: Option<u32>,
    /// Where the answer comes from if STS was not called for it: `in_flight` or `cache`.
    pub shared: Option<&'static str>,
    /// The results of a batch.
    pub(crate) batch: Option<BatchCounts>,
    /// The fault inside this program.
    pub fault: Option<&'static str>,
}

/// The results of the lines of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BatchCounts {
    /// The number of answered lines.
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

/// The record of one request, in the request's extensions. Layers and handlers record what they find out at
/// once, so that the log line contains it even if the client leaves a moment later.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedRecord(Arc<Mutex<CallRecord>>);

impl SharedRecord {
    /// Changes the record.
    pub(crate) fn update(&self, change: impl FnOnce(&mut CallRecord)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes the record, and leaves an empty one.
    pub(crate) fn take(&self) -> CallRecord {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Replaces a text in the log that does not have the expected form. It may repeat the request.
const UNREADABLE: &str = "unreadable";

/// An error code for the log: words without separators, as all codes of STS and of this service are, or a
/// status.
pub(crate) fn code_for_log(code: Option<&str>) -> Option<&str> {
    of_form(code, |text| is_words(text) || is_digits(text, 3))
}

/// A request id of STS for the log: a UUID.
pub(crate) fn request_id_for_log(id: Option<&str>) -> Option<&str> {
    of_form(id, |text| text.len() == 36 && Uuid::try_parse(text).is_ok())
}

/// An account for the log.
pub(crate) fn account_for_log(account: Option<&str>) -> Option<&str> {
    of_form(account, |text| is_digits(text, 12))
}

/// A web identity token's id for the log: a UUID, or another printable text of at most that length.
pub(crate) fn token_id_for_log(id: Option<&str>) -> Option<&str> {
    of_form(id, |text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    })
}

/// Whether a text begins with a capital letter and at most one in three letters is a capital: in secrets it is
/// half of them.
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
    fn only_texts_of_the_expected_form_are_logged() {
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
