//! The API keys, and how one is made. Only the SHA-256 digest of a key is stored.
//!
//! A key has 256 random bits, so nobody can find it from its digest, and no slow or salted hash is needed as
//! for a password. Digests come from a file, which is loaded at the start and when it changes
//! ([`crate::server::reload`]), or from a variable, for platforms that cannot mount a file. No text about the
//! digests repeats them.

mod digests;

pub(crate) use digests::{KeyName, is_name};

use crate::callers::KeyId;
use digests::{DIGEST_PREFIX, Digest, KnownKeys, Problem, read_file, read_text};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use zeroize::Zeroizing;

/// The prefix of a key, by which scanners for leaked secrets can find it: `stsv_[0-9a-f]{64}`.
pub const KEY_PREFIX: &str = "stsv_";

const FILE: &str = "STS_VERIFY_API_KEYS_FILE";
const VARIABLE: &str = "STS_VERIFY_API_KEYS";

/// The digests of the valid keys. Several are valid at once, so that a caller can move from one to the next.
pub struct ApiKeys {
    /// The file that is reloaded; `None` if the digests came from the variable.
    path: Option<PathBuf>,
    /// Replaced as a whole.
    known: RwLock<KnownKeys>,
}

/// Why the digests cannot be used: the variable, and the error. No text repeats the digests: a key may have
/// been pasted there.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct KeysError {
    variable: &'static str,
    problem: Problem,
}

/// A new key and its line for the file.
pub struct NewKey {
    /// The key for the caller.
    pub key: SecretString,
    /// The line for the service.
    pub line: String,
}

impl ApiKeys {
    /// The keys in the settings, if there are any: in a file, or in a text whose lines may be separated by
    /// commas or semicolons.
    ///
    /// # Errors
    ///
    /// One line that names the variable and the error.
    pub fn from_settings(file: Option<&Path>, text: Option<&str>) -> Result<Option<Self>, KeysError> {
        let known = match (file, text) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Problem::Two.in_variable(VARIABLE)),
            (Some(path), None) => read_file(path).map_err(|problem| problem.in_variable(FILE))?,
            (None, Some(text)) => {
                let lines = text.replace([',', ';'], "\n");
                read_text(&lines).map_err(|problem| problem.in_variable(VARIABLE))?
            }
        };
        Ok(Some(Self { path: file.map(Path::to_owned), known: RwLock::new(known) }))
    }

    /// Reloads the file, if there is one, and returns the number of valid keys. After an error the previous
    /// keys stay.
    ///
    /// # Errors
    ///
    /// The same as for [`ApiKeys::from_settings`].
    pub fn reload(&self) -> Result<usize, KeysError> {
        let read = self.path.as_ref().map(|path| read_file(path)).transpose();
        let read = read.map_err(|problem| problem.in_variable(FILE))?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = read {
            *known = read;
        }
        Ok(known.len())
    }

    /// The key's id and name, if the key is valid.
    pub(crate) fn find(&self, key: &[u8]) -> Option<(KeyId, KeyName)> {
        let digest: Digest = Sha256::digest(key).into();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&digest).map(|name| (id_of(&digest), name.clone()))
    }
}

impl NewKey {
    /// Makes a key from the system's random numbers.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub fn generate(name: Option<&str>) -> Result<Self, getrandom::Error> {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut())?;
        let digits = Zeroizing::new(hex::encode(random.as_ref()));
        let key = SecretString::from(format!("{KEY_PREFIX}{}", digits.as_str()));
        let digest = hex::encode(Sha256::digest(key.expose_secret()));
        let line = [&format!("{DIGEST_PREFIX}{digest}"), name.unwrap_or_default()].join(" ");
        Ok(Self { key, line: line.trim_end().to_owned() })
    }
}

fn id_of(digest: &Digest) -> KeyId {
    KeyId(std::array::from_fn(|index| digest[index]))
}

impl Problem {
    fn in_variable(self, variable: &'static str) -> KeysError {
        KeysError { variable, problem: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_found_by_its_line() {
        let (new, other) = (NewKey::generate(Some("team-a")).unwrap(), NewKey::generate(None).unwrap());
        let text = format!("{},{}", new.line, other.line);
        let keys = ApiKeys::from_settings(None, Some(&text)).unwrap().unwrap();
        let (id, name) = keys.find(new.key.expose_secret().as_bytes()).unwrap();
        assert_eq!(name.as_str(), "team-a");
        assert_ne!(Some(id), keys.find(other.key.expose_secret().as_bytes()).map(|(id, _)| id));
        assert_eq!(new.key.expose_secret().len(), KEY_PREFIX.len() + 64);
        assert!(keys.find(b"").is_none() && keys.find(new.line.as_bytes()).is_none());
    }
}
