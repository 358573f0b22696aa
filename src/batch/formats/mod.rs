//! Reads lists of credentials in the formats that people have them in. Nothing is kept of a file but the entry at hand.
//!
//! The names of values are those of [`crate::credentials`], whatever the format. A file is read as UTF-8, or as UTF-16 if it
//! begins with that byte order mark; a line ends with LF, CRLF or CR.

mod betterleaks;
mod csv;
mod detect;
mod env;
mod fields;
mod finding;
mod ini;
mod json;
mod kingfisher;
pub(super) mod lines;
mod trufflehog;
mod values;
mod words;

use super::entry::{Emit, Item, Place, ReadError};
use clap::ValueEnum;
use encoding_rs_io::DecodeReaderBytesBuilder;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::ops::ControlFlow;

/// The longest line, and the longest JSON object.
pub const MAX_ENTRY_BYTES: usize = 1024 * 1024;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Told by the first lines.
    Auto,
    /// One JSON object, or an array of them, as POST /verify takes them.
    Json,
    /// One such object a line.
    Ndjson,
    /// The shared credentials file or the config file.
    Ini,
    /// Assignments of environment variables, as shells write them.
    Env,
    /// Comma-separated values with a header.
    Csv,
    /// The report of TruffleHog, as JSON Lines.
    Trufflehog,
    /// The report of Betterleaks, as JSON or JSON Lines.
    Betterleaks,
    /// The report of Kingfisher, as JSON or JSON Lines.
    Kingfisher,
}

/// Reads a file to its end, or until it is told to stop.
pub fn read(file: u32, input: impl Read, format: Format, emit: &mut Emit<'_>) -> ControlFlow<()> {
    let decoder = DecodeReaderBytesBuilder::new().utf8_passthru(true).strip_bom(true).build(input);
    let mut input = BufReader::with_capacity(64 * 1024, decoder);
    let mut head = Vec::new();
    let found = match format {
        Format::Auto => detect::format_of(&mut input, &mut head),
        _ => detect::is_text(&mut input, &mut head)
            .map(|text| if text { Ok(format) } else { Err(ReadError::Binary) }),
    };
    let input = Cursor::new(head).chain(input);
    let read = match found {
        Ok(Ok(format)) => read_as(format, file, input, emit),
        Ok(Err(reason)) => Ok(emit(Item::Unreadable(Place::line(file, 1), reason))),
        Err(error) => Err((1, error)),
    };
    read.unwrap_or_else(|(line, error)| {
        emit(Item::Unreadable(Place::line(file, line), ReadError::Io(error.kind())))
    })
}

/// What came of reading: whether to go on, or the line at which the file could not be read further.
type Reading = Result<ControlFlow<()>, (u32, std::io::Error)>;

fn read_as(format: Format, file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    match format {
        Format::Ini => ini::read(file, input, emit),
        Format::Env => env::read(file, input, emit),
        Format::Csv => csv::read(file, input, emit),
        // Whichever scanner a report is said to be of, it is read by its members.
        _ => json::read(file, input, emit),
    }
}

#[cfg(test)]
mod tests;
