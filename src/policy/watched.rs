//! The policies file in use: read at the start, and reloaded when it changes.

use super::{Policies, PoliciesError, PolicyContext};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fs, io};

/// Longer than any file that people write.
const MAX_BYTES: u64 = 1024 * 1024;

/// A policies file, with the policies from the last reading.
pub struct PoliciesFile {
    path: PathBuf,
    context: PolicyContext,
    current: RwLock<Arc<Policies>>,
}

/// Why a policies file cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
pub enum PoliciesFileError {
    /// It cannot be read.
    #[error("STS_VERIFY_POLICIES_FILE: {}: it cannot be read ({reason})", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::ErrorKind,
    },
    /// It is longer than 1 MiB, or not text.
    #[error("STS_VERIFY_POLICIES_FILE: {}: it must be a text of at most 1 MiB", .0.display())]
    NoText(PathBuf),
    /// It has an error.
    #[error("STS_VERIFY_POLICIES_FILE: {}: {error}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The error and its line.
        error: PoliciesError,
    },
}

impl PoliciesFile {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// One line that names the variable, the file, and the line with the error.
    pub fn read(path: &Path, context: PolicyContext) -> Result<Self, PoliciesFileError> {
        let current = RwLock::new(Arc::new(read(path, context)?));
        Ok(Self { path: path.to_owned(), context, current })
    }

    /// The policies in use.
    #[must_use]
    pub fn current(&self) -> Arc<Policies> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reloads the file and returns the number of its policies. After an error the previous policies stay.
    ///
    /// # Errors
    ///
    /// As for [`PoliciesFile::read`].
    pub fn reload(&self) -> Result<usize, PoliciesFileError> {
        let policies = Arc::new(read(&self.path, self.context)?);
        let count = policies.len();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = policies;
        Ok(count)
    }
}

fn read(path: &Path, context: PolicyContext) -> Result<Policies, PoliciesFileError> {
    let unreadable =
        |error: &io::Error| PoliciesFileError::Unreadable { path: path.to_owned(), reason: error.kind() };
    let no_text = || PoliciesFileError::NoText(path.to_owned());
    if fs::metadata(path).map_err(|error| unreadable(&error))?.len() > MAX_BYTES {
        return Err(no_text());
    }
    let bytes = fs::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| no_text())?;
    Policies::from_toml(&text, context)
        .map_err(|error| PoliciesFileError::Wrong { path: path.to_owned(), error })
}
