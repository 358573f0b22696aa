//! Removes secrets from texts of other programs.
//!
//! STS repeats a malformed `Authorization` header in its message, and a proxy may repeat anything. No part of
//! the secret access key or the session token in such a text may reach an answer or a log, whether as it is or
//! in another spelling ([`spelling`] lists the known ones; SECURITY.md says what is not covered).
//!
//! The time is proportional to the lengths of the text and the secrets, because an endpoint chooses the text
//! and a caller the secrets.

mod marks;
mod spelling;

use marks::Marks;
use spelling::{alphanumeric, decoded, without_escapes};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

/// A run of this many characters of a secret counts as a part of it. Shorter runs occur by chance in any text,
/// and reveal nothing useful of a 40-character key.
pub(crate) const SHORTEST_PART: usize = 12;

/// AWS has no secrets below this length, and removing them would only garble the text.
const SHORTEST_SECRET: usize = 4;

/// How many times escapes may be nested.
const ESCAPE_DEPTH: usize = 3;

/// The replacement for a secret.
const REDACTED: &str = "[redacted]";

/// The secrets of one request, which texts must not contain.
pub(crate) struct Redactor<'a> {
    /// A secret access key or a signature, and the session token or nothing.
    secrets: [&'a str; 2],
    /// Quickly shows that nearly all texts are clean, with one look at each character.
    marks: Marks,
    /// Every part of a secret, in lower case, both complete and with letters and digits only. Made when a text
    /// must be searched closely.
    parts: OnceCell<HashSet<[u8; SHORTEST_PART]>>,
}

impl<'a> Redactor<'a> {
    pub(crate) fn new(secrets: [&'a str; 2]) -> Self {
        Self { secrets, marks: Marks::new(secrets), parts: OnceCell::new() }
    }

    /// Removes every part of a secret from a message or a header.
    pub(crate) fn clean(&self, text: String) -> String {
        self.without_secrets_of(SHORTEST_SECRET, text)
    }

    /// The same for the name of a caller, which may share a short word with a made-up secret.
    pub(crate) fn clean_name(&self, text: String) -> String {
        self.without_secrets_of(SHORTEST_PART, text)
    }

    /// Whether [`Self::clean`] has nothing to remove.
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

    /// The secrets of at least this length that are shorter than a part. They are searched for as a whole.
    fn short_secrets(&self, length: usize) -> impl Iterator<Item = &'a str> {
        self.secrets.into_iter().filter(move |secret| (length..SHORTEST_PART).contains(&secret.len()))
    }

    /// Removes the runs of characters that the text shares with a secret, ignoring case. A secret is ASCII, so
    /// no run ends inside a character.
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

    /// Whether a text contains a part of a secret in another spelling.
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

    /// Whether a text contains a part of a secret, ignoring case.
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
