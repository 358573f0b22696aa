//! What a list holds: entries to ask about, and what could not be read. Nothing here can be printed that holds a secret.

use crate::credentials::{PostedProof, ValidationError, VerifyRequest};
use std::io::ErrorKind;
use std::ops::ControlFlow;

/// Where something stands in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number of the file, from 0, in the order in which the files were given.
    pub file: u32,
    /// The line, from 1; 0 for the file itself. It stays at the largest number where a file has more lines.
    pub line: u32,
    /// The name of a profile, where the format has names.
    pub name: Option<Box<str>>,
}

/// What an entry asks.
pub enum Question {
    /// Credentials.
    Credentials(VerifyRequest),
    /// A proof in place of credentials, which is checked before it is asked about.
    Proof(PostedProof),
}

/// Something that was met in the input.
pub enum Item {
    /// An entry.
    Entry(Place, Question),
    /// Something that should be an entry and cannot be read.
    Unreadable(Place, ReadError),
    /// A finding that is not about an AWS key.
    PassedOver,
}

/// Takes what is read. `Break` ends the reading.
pub type Emit<'a> = dyn FnMut(Item) -> ControlFlow<()> + 'a;

/// Why something cannot be read. No text of it holds any part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The values of an entry are missing, malformed or contradict each other.
    #[error(transparent)]
    Values(ValidationError),
    /// The longest entry is [`super::formats::MAX_ENTRY_BYTES`].
    #[error("The entry is longer than 1 MiB.")]
    TooLong,
    /// There are zero bytes in it.
    #[error("The file is not text. UTF-16 needs a byte order mark.")]
    Binary,
    /// What stands in the place of an entry is not a JSON object.
    #[error("This is not a JSON object.")]
    NotAnObject,
    /// The end of the entry is missing.
    #[error("The JSON object has no end.")]
    CutOff,
    /// None of the formats.
    #[error("The format cannot be told. Name it with --format.")]
    UnknownFormat,
    /// The first line of a CSV file names no access key or no secret.
    #[error("There is no CSV header with an access key and a secret key.")]
    NoHeader,
    /// A section of an INI file without its bracket.
    #[error("The name of the section has no closing bracket.")]
    Section,
    /// A quote that is not closed.
    #[error("A quote is not closed.")]
    Quote,
    /// A proof where none is taken.
    #[error("A proof needs --audience.")]
    ProofNotAccepted,
    /// A proof under the name of a token that is none.
    #[error("This is not a web identity token.")]
    NotAToken,
    /// The region is not one of AWS's, or not one of those allowed.
    #[error("The region is not one that is asked.")]
    Region,
    /// The file cannot be opened or read.
    #[error("The file cannot be read: {0}.")]
    Io(ErrorKind),
}

impl From<ValidationError> for ReadError {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::MalformedJson | ValidationError::NotUtf8 => Self::NotAnObject,
            error => Self::Values(error),
        }
    }
}

impl Place {
    /// A line of a file.
    #[must_use]
    pub fn line(file: u32, line: u32) -> Self {
        Self { file, line, name: None }
    }
}
