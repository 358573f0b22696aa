//! The shared credentials file and the config file of the AWS CLI and the SDKs. Each section with a key is an
//! entry.
//!
//! The parser inside `aws-runtime` is not used: it needs the whole file in memory, merges profiles with the
//! same name, gives no line numbers and stops at the first error. Its dialect is kept: `#` and `;` begin a
//! comment at the start of a line or after a space, names are case-insensitive, and lines that are indented
//! further than one with an empty value are settings inside it. Some things are added, because a key that no
//! tool can read has leaked all the same: quotes around a value are removed, `:` is accepted for `=`, and other
//! indented lines are read.

use super::Reading;
use super::fields::{Fields, parse_name};
use super::lines::{Line, Lines};
use crate::batch::entry::{Emit, Item, Location, ReadError};
use crate::credentials::Posted;
use crate::credentials::redact::Redactor;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};

pub(super) fn read(file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    let mut lines = Lines::new(input);
    let mut section = Section::default();
    while let Some(line) = lines.next()? {
        let flow = match line {
            Line::TooLong(number) => {
                section.fields.broken.get_or_insert((number, ReadError::TooLong));
                Continue(())
            }
            Line::Text(number, text) if text.trim_start().starts_with('[') => {
                let next = match section_name(&text) {
                    Some(name) => Ok(Section::new(number, name)),
                    None => Err(ReadError::Section),
                };
                let flow = std::mem::take(&mut section).emit(file, emit);
                match (flow, next) {
                    (Continue(()), Ok(next)) => {
                        section = next;
                        Continue(())
                    }
                    (Continue(()), Err(reason)) => {
                        emit(Item::Unreadable(Location::line(file, number), reason))
                    }
                    (flow, _) => flow,
                }
            }
            Line::Text(number, text) => {
                if section.take_line(number, &text) {
                    emit(Item::Unreadable(Location::line(file, number), ReadError::Stray))
                } else {
                    Continue(())
                }
            }
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(section.emit(file, emit))
}

/// The name in a section header, without `profile`.
pub(super) fn section_name(line: &str) -> Option<&str> {
    let (name, rest) = line.trim().strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    if !(rest.is_empty() || rest.starts_with(['#', ';'])) {
        return None;
    }
    let name = name.trim();
    let name = match name.split_once([' ', '\t']) {
        Some(("profile", name)) => name.trim(),
        _ => name,
    };
    Some(without_quotes(name))
}

#[derive(Default)]
struct Section {
    line: u32,
    name: Option<Box<str>>,
    fields: Fields,
    /// The indentation of the last line if its value was empty: lines with more indentation are settings inside
    /// it.
    nests_above: Option<usize>,
}

impl Section {
    fn new(line: u32, name: &str) -> Self {
        Self { line, name: Some(name.into()), fields: Fields::at(line), nests_above: None }
    }

    /// Processes a line. Returns whether it has an access key that is not read.
    fn take_line(&mut self, number: u32, line: &str) -> bool {
        let indent = line.len() - line.trim_start().len();
        let line = without_comment(line.trim());
        if !line.is_empty() && self.nests_above.is_none_or(|above| indent <= above) {
            self.take_setting(number, indent, line);
        }
        self.fields.lack_a_key_of(line)
    }

    fn take_setting(&mut self, number: u32, indent: usize, line: &str) {
        let Some((name, value)) = line.split_once(['=', ':']) else { return };
        let value = without_quotes(value.trim());
        let name = parse_name(name.trim());
        // None of the values has settings inside it.
        self.nests_above = (value.is_empty() && name.is_none()).then_some(indent);
        if let Some(name) = name {
            if self.fields.is_empty() && self.name.is_none() {
                self.fields.line = number;
            }
            self.fields.put(name, value);
        }
    }

    fn emit(self, file: u32, emit: &mut Emit<'_>) -> ControlFlow<()> {
        if let Some((line, reason)) = self.fields.broken {
            return emit(Item::Unreadable(Location::line(file, line), reason));
        }
        if !self.fields.are_a_key() {
            return Continue(());
        }
        let line = if self.name.is_some() { self.line } else { self.fields.line };
        emit(match self.fields.into_posted() {
            Ok(posted) => {
                let name = self.name.map(|name| redacted(&name, &posted));
                Item::Entry(Location { file, line, name }, posted)
            }
            Err(reason) => Item::Unreadable(Location::line(file, line), reason),
        })
    }
}

/// A profile may have its own secret as its name.
fn redacted(name: &str, posted: &Posted) -> Box<str> {
    match posted {
        Posted::Credentials(request) => {
            Redactor::new(request.credentials.secrets()).clean_name(name.to_owned()).into()
        }
        Posted::Proof(_) => name.into(),
    }
}

fn without_comment(line: &str) -> &str {
    if line.starts_with(['#', ';']) {
        return "";
    }
    let begins = |pair: &[u8]| pair[0].is_ascii_whitespace() && matches!(pair[1], b'#' | b';');
    let comment = line.as_bytes().windows(2).position(begins);
    comment.map_or(line, |at| line[..at].trim_end())
}

fn without_quotes(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}
