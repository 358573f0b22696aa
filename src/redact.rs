//! Takes secrets out of texts that come from elsewhere.
//!
//! STS repeats a malformed `Authorization` header in its message, and a proxy may repeat anything. What of that is
//! part of the secret access key or of the session token must not reach an answer or a log.

use crate::credentials::Credentials;
use secrecy::ExposeSecret;

/// A run of so many characters of a secret counts as a part of it. Shorter ones are met by chance in any text, and
/// tell nothing of a 40-character key.
pub(crate) const SHORTEST_PART: usize = 12;

/// A "secret" below this length is no secret of AWS, and taking it out would only garble the text.
const SHORTEST_SECRET: usize = 4;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// The secrets of one request, to be kept out of texts.
pub(crate) struct Redactor<'a> {
    secrets: Vec<&'a str>,
    /// How the parts that matter begin, of all secrets: one bit each, at the place of a [`beginning`]. Nearly every text
    /// has no such place, and it takes one look at each of its characters to see that, whatever the secrets' length.
    beginnings: Box<[u64; 1 << (BITS - 6)]>,
}

/// How many bits of a hash there are. A token of a thousand characters fills 1.5 % of the set.
const BITS: u32 = 16;

impl<'a> Redactor<'a> {
    pub(crate) fn new(credentials: &'a Credentials) -> Self {
        let token = credentials.session_token();
        let secrets = std::iter::once(credentials.secret_access_key()).chain(token);
        let secrets =
            secrets.map(ExposeSecret::expose_secret).filter(|secret| secret.len() >= SHORTEST_SECRET);
        let secrets: Vec<&str> = secrets.collect();
        let mut beginnings = Box::new([0; 1 << (BITS - 6)]);
        for secret in &secrets {
            let last = secret.len() - shortest_part(secret);
            for four in secret.as_bytes()[..last + SHORTEST_SECRET].array_windows() {
                let (word, bit) = beginning(*four);
                beginnings[word] |= bit;
            }
        }
        Self { secrets, beginnings }
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
        if self.holds_a_part(&text) {
            for secret in self.secrets.iter().filter(|secret| secret.len() >= length) {
                text = without(&text, secret).unwrap_or(text);
            }
        }
        text
    }

    /// Whether a part of any secret stands in a text. The set is never wrong in saying no.
    fn holds_a_part(&self, text: &str) -> bool {
        text.as_bytes().array_windows().enumerate().any(|(at, four)| {
            let (word, bit) = beginning(*four);
            let rest = (self.beginnings[word] & bit != 0).then(|| text.get(at..)).flatten();
            rest.is_some_and(|rest| self.secrets.iter().any(|secret| shared_start(rest, secret) > 0))
        })
    }
}

/// The place in the set for what begins with these characters, by Knuth's multiplicative hash.
fn beginning(four: [u8; SHORTEST_SECRET]) -> (usize, u64) {
    let hash = u32::from_le_bytes(four).wrapping_mul(0x9E37_79B1) >> (32 - BITS);
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
    (0..=secret.len() - start.len())
        .map(|at| &secret.as_bytes()[at..])
        .filter(|part| part.starts_with(start))
        .map(|part| text.bytes().zip(part).take_while(|(a, b)| a == *b).count())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Question;
    use proptest::prelude::*;

    fn credentials(secret: &str, token: &str) -> Credentials {
        let body = serde_json::json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": secret, "Token": token});
        Question::from_json(body.to_string().as_bytes()).unwrap().credentials
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
