//! Takes secrets out of texts that come from elsewhere.
//!
//! STS repeats a malformed `Authorization` header in its message, and a proxy may repeat anything. What of that is
//! part of the secret access key or of the session token must not reach an answer or a log.

use crate::credentials::Credentials;
use memchr::memmem::Finder;
use secrecy::ExposeSecret;
use std::iter;

/// A run of so many characters of a secret counts as a part of it. Shorter ones are met by chance in any text, and
/// tell nothing of a 40-character key.
pub(crate) const SHORTEST_PART: usize = 12;

/// A "secret" below this length is no secret of AWS, and taking it out would only garble the text.
const SHORTEST_SECRET: usize = 4;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// The secrets of one request, to be kept out of texts.
pub(crate) struct Redactor<'a> {
    /// The secret access key, and the session token or nothing.
    secrets: [&'a str; 2],
    /// Four characters in a row, from so many places of the secrets that no part that matters is without one of them. A
    /// text without any of these, as nearly all are, is known to be clean after one look at each of its characters.
    marks: Vec<u32>,
    /// Which marks there are, one bit each, at the place that [`bit_of`] gives.
    marked: [u64; 1 << (BITS - 6)],
}

/// How many bits of a hash there are. The marks of a token of a thousand characters fill 3 % of the set.
const BITS: u32 = 12;

impl<'a> Redactor<'a> {
    pub(crate) fn new(credentials: &'a Credentials) -> Self {
        let token = credentials.session_token().map_or("", ExposeSecret::expose_secret);
        let secrets = [credentials.secret_access_key().expose_secret(), token];
        // Of so many neighbouring places at which a mark may begin in a part of this length, one is taken.
        let step = |secret: &str| shortest_part(secret).saturating_sub(SHORTEST_SECRET) + 1;
        let mut marks = Vec::with_capacity(secrets.iter().map(|secret| secret.len() / step(secret)).sum());
        marks.extend(secrets.iter().flat_map(|secret| fours(secret).step_by(step(secret))));
        let mut marked = [0; 1 << (BITS - 6)];
        for mark in &marks {
            let (word, bit) = bit_of(*mark);
            marked[word] |= bit;
        }
        Self { secrets, marks, marked }
    }

    /// A message or a header with every part of a secret taken out.
    pub(crate) fn clean(&self, text: String) -> String {
        self.without_secrets_of(SHORTEST_SECRET, text)
    }

    /// The same for the name of a caller, which may well share a short word with a made-up secret.
    pub(crate) fn clean_name(&self, text: String) -> String {
        self.without_secrets_of(SHORTEST_PART, text)
    }

    fn without_secrets_of(&self, length: usize, mut text: String) -> String {
        if self.may_hold_a_part(&text) {
            for secret in self.secrets.into_iter().filter(|secret| secret.len() >= length) {
                text = without(&text, secret).unwrap_or(text);
            }
        }
        text
    }

    /// Whether a part of any secret may stand in a text. Never wrong in saying no.
    fn may_hold_a_part(&self, text: &str) -> bool {
        fours(text).any(|four| {
            let (word, bit) = bit_of(four);
            self.marked[word] & bit != 0 && self.marks.contains(&four)
        })
    }
}

/// Every four characters in a row, as one number.
fn fours(text: &str) -> impl Iterator<Item = u32> {
    text.as_bytes().array_windows().map(|four: &[u8; SHORTEST_SECRET]| u32::from_le_bytes(*four))
}

/// A number's place in the set, by Knuth's multiplicative hash.
fn bit_of(four: u32) -> (usize, u64) {
    let hash = four.wrapping_mul(0x9E37_79B1) >> (32 - BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

/// The length from which a run of a secret's characters counts as a part of it.
fn shortest_part(secret: &str) -> usize {
    SHORTEST_PART.min(secret.len())
}

/// The text without the runs of characters that it shares with a secret, or `None` when it shares none.
fn without(text: &str, secret: &str) -> Option<String> {
    let mut places = text.char_indices();
    let first = places.find(|(at, _)| shared_start(&text[*at..], secret) > 0)?.0;
    let mut clean = text[..first].to_owned();
    let mut rest = &text[first..];
    while let Some(next) = rest.chars().next() {
        let shared = shared_start(rest, secret);
        if shared == 0 {
            clean.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            clean.push_str(REDACTED);
            rest = &rest[shared..];
        }
    }
    Some(clean)
}

/// How many bytes at the start of a text stand somewhere in the secret, too, if these are enough to matter. A secret
/// is ASCII, so that a shared run never ends inside a character.
fn shared_start(text: &str, secret: &str) -> usize {
    let Some(start) = text.as_bytes().get(..shortest_part(secret)) else { return 0 };
    let start = Finder::new(start);
    let find_from = |from: usize| start.find(&secret.as_bytes()[from..]).map(|at| from + at);
    iter::successors(find_from(0), |at| find_from(at + 1))
        .map(|at| text.bytes().zip(secret[at..].bytes()).take_while(|(a, b)| a == b).count())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::VerifyRequest;
    use proptest::prelude::*;

    fn credentials(secret: &str, token: &str) -> Credentials {
        let body = serde_json::json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": secret, "Token": token});
        VerifyRequest::from_json(body.to_string().as_bytes()).unwrap().credentials
    }

    #[test]
    fn a_text_without_secrets_stays_as_it_is() {
        let credentials =
            credentials("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjEXAMPLETOKEN");
        for text in ["", "Rate exceeded", "Check your AWS Secret Access Key", "é…", "EXAMPLEKEY"] {
            assert_eq!(Redactor::new(&credentials).clean(text.to_owned()), text);
        }
    }

    #[test]
    fn a_callers_name_may_share_a_short_word_with_a_made_up_secret() {
        let credentials = credentials("example", "");
        let redactor = Redactor::new(&credentials);
        assert_eq!(redactor.clean_name("user/example-user".to_owned()), "user/example-user");
        assert_eq!(redactor.clean("user/example-user".to_owned()), "user/[redacted]-user");
    }

    proptest! {
        #[test]
        fn no_part_of_a_secret_stays(
            secret in "[!-~]{12,128}", token in "[!-~]{12,600}",
            before in "\\PC{0,20}", after in "\\PC{0,20}", from in 0usize..600, length in SHORTEST_PART..600,
        ) {
            let credentials = credentials(&secret, &token);
            for whole in [&secret, &token] {
                let from = from % (whole.len() - SHORTEST_PART + 1);
                let part = &whole[from..whole.len().min(from + length)];
                let clean = Redactor::new(&credentials).clean(format!("{before}{part}{after}"));
                for start in 0..=whole.len() - SHORTEST_PART {
                    prop_assert!(!clean.contains(&whole[start..start + SHORTEST_PART]), "{clean}");
                }
            }
        }
    }
}
