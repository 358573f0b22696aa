//! API keys: which there are, and how one is made. What is known of a key is its SHA-256 digest.
//!
//! A key has 256 random bits, so nobody finds it from its digest, and no slow or salted hash is needed as for a
//! password. Digests come from a file, which is read at start and again on SIGHUP ([`crate::server::reload`]), or from a variable,
//! for platforms that cannot mount a file. No text about them repeats them.

use crate::callers::KeyId;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// How a key begins, so that scanners for leaked secrets can find one: `stsv_[0-9a-f]{64}`.
pub const KEY_PREFIX: &str = "stsv_";

/// How a digest may begin.
const DIGEST_PREFIX: &str = "sha256:";

const FILE: &str = "STS_VERIFY_API_KEYS_FILE";
const VARIABLE: &str = "STS_VERIFY_API_KEYS";

/// The digests of the keys that are good now. Several at once let a caller move from one to the next.
pub struct ApiKeys {
    /// Read again when the operator says so; `None` when they came from the variable.
    path: Option<PathBuf>,
    /// Replaced as a whole.
    known: RwLock<Arc<[KnownKey]>>,
}

/// A line of the file.
struct KnownKey {
    digest: [u8; 32],
    name: KeyName,
}

/// What the log calls a key: its name in the file, or else the first four bytes of its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyName(Arc<str>);

/// Why the digests cannot be used: the variable, and what is wrong. No text of it repeats them: a key may have been
/// pasted there.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct KeysError {
    variable: &'static str,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("line {0} does not begin with a SHA-256 digest of 64 hexadecimal digits")]
    NoDigest(usize),
    /// What should be nowhere but with its caller.
    #[error("line {0} holds a key itself; only its digest belongs there")]
    Key(usize),
    /// Nobody could ask.
    #[error("there is no digest; `sts-verify api-key` makes one")]
    Empty,
    #[error("not together with {FILE}; set one of them")]
    Two,
}

/// A new key and its line for the file.
pub struct NewKey {
    /// What its caller sends.
    pub key: SecretString,
    /// What the service is told.
    pub line: String,
}

impl ApiKeys {
    /// The keys that the settings name, if they name any: in a file, or in a text with commas for line ends.
    ///
    /// # Errors
    ///
    /// One line that names the variable and what is wrong.
    pub fn from_settings(file: Option<&Path>, text: Option<&str>) -> Result<Option<Self>, KeysError> {
        let known = match (file, text) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Problem::Two.in_variable(VARIABLE)),
            (Some(path), None) => read_file(path).map_err(|problem| problem.in_variable(FILE))?,
            (None, Some(text)) => {
                read_text(&text.replace(',', "\n")).map_err(|problem| problem.in_variable(VARIABLE))?
            }
        };
        Ok(Some(Self { path: file.map(Path::to_owned), known: RwLock::new(known) }))
    }

    /// Reads the file again, if there is one, and says how many keys are good now. After an error they are those of before.
    ///
    /// # Errors
    ///
    /// The same as of [`ApiKeys::from_settings`].
    pub fn reload(&self) -> Option<Result<usize, KeysError>> {
        let read = read_file(self.path.as_ref()?).map_err(|problem| problem.in_variable(FILE));
        Some(read.map(|known| {
            let count = known.len();
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            count
        }))
    }

    /// The key's id and name, if it is one of ours.
    pub(crate) fn find(&self, key: &[u8]) -> Option<(KeyId, KeyName)> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        // Each is compared, and each in constant time: how long it takes tells nothing of any.
        let found = known.iter().fold(None, |found, known| {
            let same: bool = digest.ct_eq(&known.digest).into();
            if same { Some(known) } else { found }
        });
        found.map(|known| (id_of(&digest), known.name.clone()))
    }
}

impl KnownKey {
    /// Reads a digest and what stands behind it.
    fn from_line(line: &str) -> Option<Self> {
        let (digest, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let hexadecimal = digest.strip_prefix(DIGEST_PREFIX).unwrap_or(digest);
        let mut digest = [0; 32];
        hex::decode_to_slice(hexadecimal, &mut digest).ok()?;
        let name = match name.trim_start_matches(['#', ' ', '\t']) {
            "" => format!("{DIGEST_PREFIX}{}", &hex::encode(digest)[..8]),
            name => name.to_owned(),
        };
        Some(Self { digest, name: KeyName(name.into()) })
    }
}

impl KeyName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl NewKey {
    /// Makes a key from the system's random numbers.
    ///
    /// # Errors
    ///
    /// The system has none to give.
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

fn id_of(digest: &[u8; 32]) -> KeyId {
    KeyId(std::array::from_fn(|index| digest[index]))
}

impl Problem {
    fn in_variable(self, variable: &'static str) -> KeysError {
        KeysError { variable, problem: self }
    }
}

fn read_file(path: &Path) -> Result<Arc<[KnownKey]>, Problem> {
    read_text(&Zeroizing::new(std::fs::read_to_string(path)?))
}

fn read_text(text: &str) -> Result<Arc<[KnownKey]>, Problem> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let mut known = Vec::new();
    for (number, line) in lines {
        // Before all else: a key in a comment is as bad, and a name goes into the log.
        if line.contains(KEY_PREFIX) {
            return Err(Problem::Key(number));
        }
        if !line.is_empty() && !line.starts_with('#') {
            known.push(KnownKey::from_line(line).ok_or(Problem::NoDigest(number))?);
        }
    }
    if known.is_empty() { Err(Problem::Empty) } else { Ok(known.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        read_text(text).unwrap().iter().map(|known| known.name.as_str().to_owned()).collect()
    }

    #[test]
    fn a_line_may_have_a_prefix_a_name_and_capitals() {
        let digest = "0123456789abcdef".repeat(4);
        let text = format!(
            "# ours\r\n\n {digest}\r\nsha256:{digest}  team a \n{}\t# team-b\n",
            digest.to_uppercase()
        );
        assert_eq!(names(&text), ["sha256:01234567", "team a", "team-b"]);
    }

    #[test]
    fn a_line_that_is_no_digest_is_named_by_its_number_alone() {
        let digest = "0123456789abcdef".repeat(4);
        for bad in [&digest[1..], &format!("{digest}0"), &digest.replace('0', "g"), "sha512:00", "~"] {
            let error = read_text(&format!("#\n{digest}\n{bad}")).err().unwrap().to_string();
            assert!(error.contains("line 3 ") && !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn a_key_in_the_file_is_refused_even_in_a_comment() {
        let digest = "0123456789abcdef".repeat(4);
        for bad in ["stsv_1", &format!("{digest} stsv_1"), "# stsv_1"] {
            assert!(matches!(read_text(bad), Err(Problem::Key(1))), "{bad}");
        }
    }

    #[test]
    fn a_new_key_is_the_one_of_its_line() {
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
