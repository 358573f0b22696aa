//! The contents of a list: entries, and parts that could not be read. Nothing here that holds a secret can be
//! printed.

use crate::credentials::{Posted, ValidationError};
use std::io::ErrorKind;
use std::ops::ControlFlow;

/// A position in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The number of the file, from 0, in the order of the command line.
    pub file: u32,
    /// The line, from 1; 0 for the file itself. The number stops at its maximum in a file with more lines.
    pub line: u32,
    /// The name of the profile, in formats that have names.
    pub name: Option<Box<str>>,
}

/// An item of the input.
pub enum Item {
    /// An entry.
    Entry(Location, Posted),
    /// An entry that cannot be read.
    Unreadable(Location, ReadError),
    /// A finding that is not about an AWS key.
    Ignored,
}

/// Receives the items. `Break` ends the reading.
pub type Emit<'a> = dyn FnMut(Item) -> ControlFlow<()> + 'a;

/// Why an entry cannot be read. No text contains any part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The values of an entry are missing, malformed or contradict each other.
    #[error(transparent)]
    Values(ValidationError),
    /// The entry is longer than [`super::formats::MAX_ENTRY_BYTES`].
    #[error("The entry is longer than 1 MiB.")]
    TooLong,
    /// It contains zero bytes.
    #[error("The file is not text. UTF-16 needs a byte order mark.")]
    Binary,
    /// It is not a JSON object.
    #[error("This is not a JSON object.")]
    NotAnObject,
    /// The end of the entry is missing.
    #[error("The JSON object has no end.")]
    CutOff,
    /// The file has none of the formats.
    #[error("The format is not recognised. Name it with --format.")]
    UnknownFormat,
    /// The first line of a CSV file has no column for an access key or for a secret.
    #[error("There is no CSV header with an access key and a secret key.")]
    NoHeader,
    /// A section header of an INI file has no closing bracket.
    #[error("The name of the section has no closing bracket.")]
    Section,
    /// A line in another format than the file.
    #[error("This line has an access key ID, and is not in the format of the file.")]
    Stray,
    /// A quote that is not closed.
    #[error("A quote is not closed.")]
    Quote,
    /// Proofs are not accepted.
    #[error("A proof needs --audience.")]
    ProofNotAccepted,
    /// A token's member holds something else.
    #[error("This is not a web identity token.")]
    NotAToken,
    /// The region is not one of AWS, or is not allowed.
    #[error("The region is not allowed.")]
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

impl Location {
    /// A line of a file.
    #[must_use]
    pub fn line(file: u32, line: u32) -> Self {
        Self { file, line, name: None }
    }
}
