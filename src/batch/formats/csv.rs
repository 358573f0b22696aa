//! CSV with a header, as the console's: `Access key ID,Secret access key`. Names are read with their blanks left out.
//!
//! No value of ours has a line end in it, so that each line is a record of its own; one with a quote that is open at its end
//! goes on with the next lines only if that closes it and leaves our columns whole.

use super::Reading;
use super::fields::{Fields, parse_name};
use super::lines::{Line, Lines};
use crate::batch::entry::{Emit, Item, Place, ReadError};
use crate::credentials::{Field, Name, is_access_key_id};
use crate::identity::{AccessKeyId, KeyKind};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::collections::VecDeque;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};
use zeroize::Zeroizing;

/// The characters between fields: those of spreadsheets in any country.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// A record with line ends in it may have so many lines.
const MAX_LINES: usize = 64;

/// Which column is which value.
pub(super) struct Header {
    delimiter: u8,
    columns: Vec<Option<Name>>,
}

/// The delimiter that a first line like `sep=;` names, which Excel writes and reads.
pub(super) fn declared_delimiter(line: &str) -> Option<u8> {
    let name = line.trim().get(..4).filter(|name| name.eq_ignore_ascii_case("sep="))?;
    match line.trim().as_bytes()[name.len()..] {
        [delimiter] if delimiter.is_ascii_punctuation() => Some(delimiter),
        // A tab is trimmed.
        [] => Some(b'\t'),
        _ => None,
    }
}

/// The header that a line is, if it names an access key and a secret.
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
    let (mut declared, mut refused_header) = (None, false);
    while let Some((number, line)) = lines.next()? {
        let place = Place::line(file, number);
        let Some(line) = line else {
            if emit(Item::Unreadable(place, ReadError::TooLong)).is_break() {
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
                Ok(fields) => match fields.into_question() {
                    Ok(question) => Item::Entry(place, question),
                    Err(reason) => Item::Unreadable(place, reason),
                },
                Err(reason) => Item::Unreadable(place, reason),
            }),
            // Lines before the header are said once.
            None if refused_header => None,
            None => {
                refused_header = true;
                Some(Item::Unreadable(place, ReadError::NoHeader))
            }
        };
        if item.is_some_and(|item| emit(item).is_break()) {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(Continue(()))
}

/// The values of a record; `None` for one without a key, as of a user who has only a password.
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
    Ok((!fields.is_empty()).then_some(Ok(fields)))
}

/// The fields of a whole record; `None` if a quote is open at its end.
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

/// A line and its number; without its text if that is too long.
type NumberedLine = (u32, Option<Zeroizing<String>>);

/// Lines, of which some were looked at and are read again.
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

    /// The record that a line begins, with the lines that it goes on in. Where it has none these lines wait to be read again.
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
    /// Whether a record of several lines is one: a quote that is open by mistake is closed by the next line's own, and hides
    /// that line's key.
    fn fits(&self, fields: &[Zeroizing<String>]) -> bool {
        let whole = |(column, field): (&Option<Name>, &Zeroizing<String>)| {
            !field.contains('\n') || (column.is_none() && !field.split(not_in_a_key).any(is_key))
        };
        fields.len() == self.columns.len() && self.columns.iter().zip(fields).all(whole)
    }
}

fn not_in_a_key(character: char) -> bool {
    !character.is_ascii_alphanumeric()
}

fn is_key(word: &str) -> bool {
    is_access_key_id(word) && AccessKeyId::new(word).kind() != KeyKind::Other
}
