//! What stands for a question, so that the question itself need not be kept.
//!
//! It is an HMAC-SHA256 (RFC 2104) of all values of the question under a key that is made at start and never leaves this
//! process. Nobody can tell the values from it, and who reads this memory later cannot try values against it.

use hmac::{HmacReset, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Two questions have the same only if they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct QuestionId([u8; 32]);

impl QuestionId {
    /// Its first half, for whoever has very many of them.
    pub(crate) fn short(self) -> [u8; 16] {
        std::array::from_fn(|at| self.0[at])
    }
}

/// Makes the ids of questions.
pub(crate) struct QuestionIds(
    /// HMAC with its key already taken in: a question costs a copy of this state and its own blocks.
    HmacReset<Sha256>,
);

impl QuestionIds {
    /// Makes the key.
    ///
    /// # Errors
    ///
    /// What the system says when it has no randomness.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 64]);
        getrandom::fill(key.as_mut())?;
        Ok(Self(HmacReset::new((&*key).into())))
    }

    /// The id of a question. `kind` keeps questions of different kinds apart whose values are the same. Each value goes in
    /// behind its length, so that no two questions are the same text.
    pub(crate) fn of<V: AsRef<[u8]>>(
        &self,
        kind: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> QuestionId {
        let mut mac = self.0.clone();
        let mut add = |value: &[u8]| {
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value);
        };
        add(kind.as_bytes());
        for value in values {
            add(value.as_ref());
        }
        // In place, since it is wiped in place: `finalize` would leave a copy with the end of the token on the stack.
        QuestionId(mac.finalize_reset().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_run_into_each_other_are_other_questions() {
        let ids = QuestionIds::new().unwrap();
        let ids = [
            ids.of("kind", ["us-east-1", "AKIA", "secret", "token"]),
            ids.of("kind", ["us-east-1", "AKIAs", "ecret", "token"]),
            ids.of("kind", ["us-east-1", "AKIA", "secrett", "oken"]),
            ids.of("kind", ["us-east-1", "AKIA", "secrettoken", ""]),
            ids.of("kind", ["us-east-1A", "KIA", "secret", "token"]),
            ids.of("other", ["us-east-1", "AKIA", "secret", "token"]),
            ids.of("kind", ["us-east-1", "AKIA", "secret"]),
        ];
        for (n, id) in ids.iter().enumerate() {
            assert!(!ids[..n].contains(id), "{n}");
        }
    }

    #[test]
    fn the_key_is_another_in_each_process() {
        let ids = || QuestionIds::new().unwrap().of("kind", ["value"]);
        assert_ne!(ids(), ids());
    }
}
