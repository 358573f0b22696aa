//! Reads lists of credentials in their usual formats. Only the current entry is kept in memory.
//!
//! The names of values are those of [`crate::credentials`] in every format. A file is read as UTF-8, or as
//! UTF-16 if it begins with that byte order mark. A line ends with LF, CRLF or CR.

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

use super::entry::{Emit, Item, Location, ReadError};
use clap::ValueEnum;
use encoding_rs_io::DecodeReaderBytesBuilder;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::ops::ControlFlow;

/// The maximum length of a line, and of a JSON object.
pub const MAX_ENTRY_BYTES: usize = 1024 * 1024;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Recognised by the first lines.
    Auto,
    /// One JSON object, or an array of objects, as for POST /verify.
    Json,
    /// One such object per line.
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

/// Reads a file to its end, or until `emit` returns `Break`.
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
        Ok(Err(reason)) => Ok(emit(Item::Unreadable(Location::line(file, 1), reason))),
        Err(error) => Err((1, error)),
    };
    read.unwrap_or_else(|(line, error)| {
        emit(Item::Unreadable(Location::line(file, line), ReadError::Io(error.kind())))
    })
}

/// The result of reading: whether to continue, or the line at which the file could not be read further.
type Reading = Result<ControlFlow<()>, (u32, std::io::Error)>;

fn read_as(format: Format, file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    match format {
        Format::Ini => ini::read(file, input, emit),
        Format::Env => env::read(file, input, emit),
        Format::Csv => csv::read(file, input, emit),
        // Whichever scanner is named, a report is recognised by its members.
        _ => json::read(file, input, emit),
    }
}

#[cfg(test)]
mod tests;
