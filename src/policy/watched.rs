//! The policies file in use: read at start, and again whenever it may have changed.

use super::{Policies, PoliciesError, PolicyContext};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fs, io};

/// Longer than any file that people write.
const MAX_BYTES: u64 = 1024 * 1024;

/// A policies file, and the policies that were read from it last.
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
    /// It is longer than 1 MiB, or no text.
    #[error("STS_VERIFY_POLICIES_FILE: {}: it must be a text of at most 1 MiB", .0.display())]
    NoText(PathBuf),
    /// Something in it is wrong.
    #[error("STS_VERIFY_POLICIES_FILE: {}: {error}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: PoliciesError,
    },
}

impl PoliciesFile {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// One line that names the variable, the file, and the line in it that is wrong.
    pub fn read(path: &Path, context: PolicyContext) -> Result<Self, PoliciesFileError> {
        let current = RwLock::new(Arc::new(read(path, context)?));
        Ok(Self { path: path.to_owned(), context, current })
    }

    /// The policies in use.
    #[must_use]
    pub fn current(&self) -> Arc<Policies> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again and says how many policies it has now. After an error they are those of before.
    ///
    /// # Errors
    ///
    /// As of [`PoliciesFile::read`].
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
