//! CSV with a header, such as the console's: `Access key ID,Secret access key`. Spaces in names are ignored.
//!
//! No value of a key contains a line end, so each line is normally a record. A line with an open quote at its
//! end continues on the next lines only if they close the quote and the columns of the key are complete then.

use super::Reading;
use super::fields::{Fields, key_ids, parse_name};
use super::lines::{Line, Lines};
use crate::batch::entry::{Emit, Item, Location, ReadError};
use crate::credentials::{Field, Name};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::collections::VecDeque;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};
use zeroize::Zeroizing;

/// The field delimiters of spreadsheets in any country.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The maximum number of lines of one record.
const MAX_LINES: usize = 64;

/// The columns of the values.
pub(super) struct Header {
    delimiter: u8,
    columns: Vec<Option<Name>>,
}

/// The delimiter in a first line such as `sep=;`, which Excel writes and reads.
pub(super) fn declared_delimiter(line: &str) -> Option<u8> {
    let name = line.trim().get(..4).filter(|name| name.eq_ignore_ascii_case("sep="))?;
    match line.trim().as_bytes()[name.len()..] {
        [delimiter] if delimiter.is_ascii_punctuation() => Some(delimiter),
        // A tab is trimmed.
        [] => Some(b'\t'),
        _ => None,
    }
}

/// Parses a line as a header, if it names an access key and a secret.
pub(super) fn header_of(line: &str, declared: Option<u8>) -> Option<Header> {
    declared.into_iter().chain(DELIMITERS).find_map(|delimiter| {
        let fields = split(line, delimiter)?;
        let columns: Vec<Option<Name>> = fields.iter().map(|field| column_name(field)).collect();
        let has = |field: Field| columns.iter().flatten().any(|name| name.field() == field);
        (has(Field::AccessKey) && has(Field::SecretKey)).then_some(Header { delimiter, columns })
    })
}

fn column_name(field: &str) -> Option<Name> {
    let name: String = field.chars().filter(|c| !c.is_whitespace()).collect();
    parse_name(&name)
}

pub(super) fn read(file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    let mut lines = LineQueue { lines: Lines::new(input), waiting: VecDeque::new() };
    let mut header: Option<Header> = None;
    let (mut declared, mut header_missing) = (None, false);
    while let Some((number, line)) = lines.next()? {
        let location = Location::line(file, number);
        let Some(line) = line else {
            if emit(Item::Unreadable(location, ReadError::TooLong)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            continue;
        };
        if line.trim().is_empty() {
            continue;
        }
        if number == 1
            && let Some(delimiter) = declared_delimiter(&line)
        {
            declared = Some(delimiter);
            continue;
        }
        if let Some(found) = header_of(&line, declared) {
            header = Some(found);
            continue;
        }
        let item = match &header {
            Some(header) => read_record(header, number, &line, &mut lines)?.map(|record| match record {
                Ok(fields) => match fields.into_posted() {
                    Ok(posted) => Item::Entry(location, posted),
                    Err(reason) => Item::Unreadable(location, reason),
                },
                Err(reason) => Item::Unreadable(location, reason),
            }),
            // Lines before the header are reported once, and those with a key.
            None if header_missing => {
                key_ids(&line).next().map(|_| Item::Unreadable(location, ReadError::Stray))
            }
            None => {
                header_missing = true;
                Some(Item::Unreadable(location, ReadError::NoHeader))
            }
        };
        if item.is_some_and(|item| emit(item).is_break()) {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(Continue(()))
}

/// The values of a record. `None` if it has no key, as for a user who has only a password.
fn read_record(
    header: &Header,
    number: u32,
    line: &str,
    lines: &mut LineQueue<impl BufRead>,
) -> Result<Option<Result<Fields, ReadError>>, (u32, std::io::Error)> {
    let record = match split(line, header.delimiter) {
        Some(record) => record,
        None => match lines.join(line, header)? {
            Some(record) => record,
            None => return Ok(Some(Err(ReadError::Quote))),
        },
    };
    let mut fields = Fields::at(number);
    for (column, value) in header.columns.iter().zip(&record) {
        let value = value.trim();
        if let Some(name) = column.filter(|_| !value.is_empty()) {
            fields.put(name, value);
        }
    }
    if fields.is_empty() {
        let is_stray = record.iter().any(|field| key_ids(field).next().is_some());
        return Ok(is_stray.then_some(Err(ReadError::Stray)));
    }
    Ok(Some(Ok(fields)))
}

/// The fields of a complete record. `None` if a quote is open at its end.
fn split(record: &str, delimiter: u8) -> Option<Vec<Zeroizing<String>>> {
    let mut reader: Reader = ReaderBuilder::new().delimiter(delimiter).build();
    let input = Zeroizing::new([record.as_bytes(), b"\n"].concat());
    let mut output = Zeroizing::new(vec![0; input.len()]);
    let mut ends = vec![0; input.len() + 1];
    let (result, _, _, count) = reader.read_record(&input, &mut output, &mut ends);
    if !matches!(result, ReadRecordResult::Record) {
        return None;
    }
    let mut start = 0;
    let fields = ends[..count].iter().map(|end| {
        let field = &output[start..*end];
        start = *end;
        Zeroizing::new(String::from_utf8_lossy(field).into_owned())
    });
    Some(fields.collect())
}

/// A line and its number. The text is missing if it is too long.
type NumberedLine = (u32, Option<Zeroizing<String>>);

/// Lines, of which some were read ahead and are read again.
struct LineQueue<R> {
    lines: Lines<R>,
    waiting: VecDeque<NumberedLine>,
}

impl<R: BufRead> LineQueue<R> {
    fn next(&mut self) -> Result<Option<NumberedLine>, (u32, std::io::Error)> {
        if let Some(line) = self.waiting.pop_front() {
            return Ok(Some(line));
        }
        Ok(self.lines.next()?.map(|line| match line {
            Line::Text(number, text) => (number, Some(Zeroizing::new(text.into_owned()))),
            Line::TooLong(number) => (number, None),
        }))
    }

    /// The record that begins with a line, with the lines that continue it. If there is no such record, the
    /// lines are read again.
    fn join(
        &mut self,
        line: &str,
        header: &Header,
    ) -> Result<Option<Vec<Zeroizing<String>>>, (u32, std::io::Error)> {
        let mut record = Zeroizing::new(line.to_owned());
        let mut taken = VecDeque::new();
        while taken.len() < MAX_LINES && record.len() < super::MAX_ENTRY_BYTES {
            let Some((number, text)) = self.next()? else { break };
            let end = text.as_ref().is_none_or(|text| header_of(text, Some(header.delimiter)).is_some());
            if let Some(text) = text.as_ref().filter(|_| !end) {
                record.push('\n');
                record.push_str(text);
            }
            taken.push_back((number, text));
            if end {
                break;
            }
            let Some(fields) = split(&record, header.delimiter) else { continue };
            if header.fits(&fields) {
                return Ok(Some(fields));
            }
            break;
        }
        taken.append(&mut self.waiting);
        self.waiting = taken;
        Ok(None)
    }
}

impl Header {
    /// Whether a record of several lines is complete: a quote that is open by mistake may be closed by a quote
    /// of the next line, which would hide that line's key.
    fn fits(&self, fields: &[Zeroizing<String>]) -> bool {
        let whole = |(column, field): (&Option<Name>, &Zeroizing<String>)| {
            !field.contains('\n') || (column.is_none() && key_ids(field).next().is_none())
        };
        fields.len() == self.columns.len() && self.columns.iter().zip(fields).all(whole)
    }
}
