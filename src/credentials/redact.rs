//! Takes secrets out of texts that come from elsewhere.
//!
//! STS repeats a malformed `Authorization` header in its message, and a proxy may repeat anything. What of that is
//! part of the secret access key or of the session token must not reach an answer or a log, be it as it is or in another
//! spelling ([`spelling`] has those that are known; SECURITY.md says what is not covered).
//!
//! All of this takes time in proportion to the text and the secrets: who answers in the place of STS chooses the one, and a
//! caller the others.

mod marks;
mod spelling;

use marks::Marks;
use spelling::{alphanumeric, decoded, without_escapes};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

/// A run of so many characters of a secret counts as a part of it. Shorter ones are met by chance in any text, and
/// tell nothing of a 40-character key.
pub(crate) const SHORTEST_PART: usize = 12;

/// A "secret" below this length is no secret of AWS, and taking it out would only garble the text.
const SHORTEST_SECRET: usize = 4;

/// So many times an escaped text may have been escaped again.
const ESCAPE_DEPTH: usize = 3;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// The secrets of one request, to be kept out of texts.
pub(crate) struct Redactor<'a> {
    /// A secret access key or a signature, and the session token or nothing.
    secrets: [&'a str; 2],
    /// By these nearly all texts are known to be clean after one look at each of their characters.
    marks: Marks,
    /// Every part of a secret, in lower case, as it stands there and with its letters and digits alone. Made when a text
    /// has to be looked at closely.
    parts: OnceCell<HashSet<[u8; SHORTEST_PART]>>,
}

impl<'a> Redactor<'a> {
    pub(crate) fn new(secrets: [&'a str; 2]) -> Self {
        Self { secrets, marks: Marks::new(secrets), parts: OnceCell::new() }
    }

    /// A message or a header with every part of a secret taken out.
    pub(crate) fn clean(&self, text: String) -> String {
        self.without_secrets_of(SHORTEST_SECRET, text)
    }

    /// The same for the name of a caller, which may well share a short word with a made-up secret.
    pub(crate) fn clean_name(&self, text: String) -> String {
        self.without_secrets_of(SHORTEST_PART, text)
    }

    /// Whether [`Self::clean`] has nothing to take out.
    pub(crate) fn is_clean(&self, text: &str) -> bool {
        let is_short_secret = self.short_secrets(SHORTEST_SECRET).any(|secret| text.contains(secret));
        let is_part = self.marks.may_tell(text) && (self.has_part(text.bytes()) || self.spells(text));
        !is_short_secret && !is_part
    }

    fn without_secrets_of(&self, length: usize, mut text: String) -> String {
        for secret in self.short_secrets(length) {
            if text.contains(secret) {
                text = text.replace(secret, REDACTED);
            }
        }
        if self.marks.may_tell(&text) {
            text = self.without_parts(text);
            if self.spells(&text) {
                REDACTED.clone_into(&mut text);
            }
        }
        text
    }

    /// The secrets of at least this length that are shorter than a part: they are looked for as a whole.
    fn short_secrets(&self, length: usize) -> impl Iterator<Item = &'a str> {
        self.secrets.into_iter().filter(move |secret| (length..SHORTEST_PART).contains(&secret.len()))
    }

    /// The text without the runs of characters that it shares with a secret, in upper or lower case. A secret is ASCII, so
    /// that no run ends inside a character.
    fn without_parts(&self, text: String) -> String {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (start, part) in text.to_ascii_lowercase().as_bytes().array_windows().enumerate() {
            if self.is_part(part) {
                let end = start + SHORTEST_PART;
                match runs.last_mut().filter(|run| start <= run.end) {
                    Some(run) => run.end = end,
                    None => runs.push(start..end),
                }
            }
        }
        if runs.is_empty() {
            return text;
        }
        let mut clean = String::with_capacity(text.len());
        let mut rest = 0;
        for run in runs {
            clean.push_str(&text[rest..run.start]);
            clean.push_str(REDACTED);
            rest = run.end;
        }
        clean + &text[rest..]
    }

    /// Whether a text holds a part of a secret in another spelling than its own.
    fn spells(&self, text: &str) -> bool {
        let mut text = text.as_bytes().to_vec();
        for _ in 0..=ESCAPE_DEPTH {
            if self.has_part(alphanumeric(&text))
                || decoded(&text).any(|text| self.has_part(text.into_iter()))
            {
                return true;
            }
            let Some(plain) = without_escapes(&text) else { return false };
            if self.has_part(plain.iter().copied()) {
                return true;
            }
            text = plain;
        }
        false
    }

    /// Whether a part of a secret stands in a text, in upper or lower case.
    fn has_part(&self, text: impl Iterator<Item = u8>) -> bool {
        let lower: Vec<u8> = text.map(|byte| byte.to_ascii_lowercase()).collect();
        lower.array_windows().any(|part| self.is_part(part))
    }

    fn is_part(&self, part: &[u8; SHORTEST_PART]) -> bool {
        self.marks.may_begin(part) && self.parts().contains(part)
    }

    fn parts(&self) -> &HashSet<[u8; SHORTEST_PART]> {
        self.parts.get_or_init(|| {
            let mut parts = HashSet::new();
            for secret in self.secrets {
                parts.extend(secret.to_ascii_lowercase().as_bytes().array_windows());
                parts.extend(alphanumeric(secret.as_bytes()).collect::<Vec<_>>().array_windows());
            }
            parts
        })
    }
}

#[cfg(test)]
mod tests;
