//! The key of a call, which stands for the call's values, so that these need not be kept.
//!
//! The key is an HMAC-SHA256 (RFC 2104) of all values under a secret that is made at the start and never leaves
//! this process. The values cannot be computed from the key, and without the secret guessed values cannot be
//! checked against it.

use hmac::{HmacReset, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Two calls have the same key only if all their values are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CallKey([u8; 32]);

impl CallKey {
    /// The first half of the key, for tables with very many entries.
    pub(crate) fn short(self) -> [u8; 16] {
        std::array::from_fn(|at| self.0[at])
    }
}

/// Makes the keys of calls.
pub(crate) struct CallKeys(
    /// An HMAC that has already processed its secret. Each call uses a copy of this state.
    HmacReset<Sha256>,
);

impl CallKeys {
    /// Makes the secret.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 64]);
        getrandom::fill(key.as_mut())?;
        Ok(Self(HmacReset::new((&*key).into())))
    }

    /// The key of a call. `kind` separates calls of different kinds with the same values. Each value is
    /// preceded by its length, so that different lists of values never give the same input.
    pub(crate) fn of<V: AsRef<[u8]>>(
        &self,
        kind: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> CallKey {
        let mut mac = self.0.clone();
        let mut add = |value: &[u8]| {
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value);
        };
        add(kind.as_bytes());
        for value in values {
            add(value.as_ref());
        }
        // Finalized in place, because the state is wiped in place: `finalize` would leave a copy with the end
        // of the token on the stack.
        CallKey(mac.finalize_reset().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_the_same_concatenation_have_different_keys() {
        let keys = CallKeys::new().unwrap();
        let keys = [
            keys.of("kind", ["us-east-1", "AKIA", "secret", "token"]),
            keys.of("kind", ["us-east-1", "AKIAs", "ecret", "token"]),
            keys.of("kind", ["us-east-1", "AKIA", "secrett", "oken"]),
            keys.of("kind", ["us-east-1", "AKIA", "secrettoken", ""]),
            keys.of("kind", ["us-east-1A", "KIA", "secret", "token"]),
            keys.of("other", ["us-east-1", "AKIA", "secret", "token"]),
            keys.of("kind", ["us-east-1", "AKIA", "secret"]),
        ];
        for (n, key) in keys.iter().enumerate() {
            assert!(!keys[..n].contains(key), "{n}");
        }
    }

    #[test]
    fn each_process_has_its_own_secret() {
        let keys = || CallKeys::new().unwrap().of("kind", ["value"]);
        assert_ne!(keys(), keys());
    }
}
