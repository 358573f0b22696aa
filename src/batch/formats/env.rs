//! Assignments of environment variables: `NAME=value` with or without `export`, cmd's `set`, PowerShell's `$Env:`, fish's
//! `set -gx`, csh's `setenv`.
//!
//! A file may hold several keys. Values belong together as long as no name comes twice; where one does, what stands since the
//! last blank line or comment is the next key's.

use super::Reading;
use super::fields::{Fields, parse_name};
use super::lines::{Line, Lines};
use super::words::{Word, words};
use crate::batch::entry::{Emit, Item, Place, ReadError};
use crate::credentials::Name;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};

pub(super) fn read(file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    let mut lines = Lines::new(input);
    let mut blocks = Blocks::default();
    while let Some(line) = lines.next()? {
        let finished = match line {
            Line::Text(number, text) => {
                blocks.take_line(number, &text).map(|fields| emit_key(file, fields, emit))
            }
            Line::TooLong(number) => {
                blocks.since.broken.get_or_insert((number, ReadError::TooLong));
                None
            }
        };
        if let Some(ControlFlow::Break(())) = finished {
            return Ok(ControlFlow::Break(()));
        }
    }
    for fields in blocks.finish() {
        if emit_key(file, fields, emit).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(Continue(()))
}

/// Whether a line assigns to a variable, whatever its name.
pub(super) fn is_assignment(line: &str) -> bool {
    words(line).is_ok_and(|words| !assignments(&words).is_empty())
}

/// Whether a line assigns to a variable that is one of our values.
pub(super) fn names_a_value(line: &str) -> bool {
    words(line).is_ok_and(|words| assignments(&words).iter().any(|(name, _)| parse_name(name).is_some()))
}

fn emit_key(file: u32, fields: Fields, emit: &mut Emit<'_>) -> ControlFlow<()> {
    if let Some((line, reason)) = fields.broken {
        return emit(Item::Unreadable(Place::line(file, line), reason));
    }
    if !fields.are_a_key() {
        return Continue(());
    }
    let place = Place::line(file, fields.line);
    emit(match fields.into_question() {
        Ok(question) => Item::Entry(place, question),
        Err(reason) => Item::Unreadable(place, reason),
    })
}

/// Values on their way into keys.
#[derive(Default)]
struct Blocks {
    /// What stands before the last blank line, as far as it belongs to the same key.
    before: Fields,
    /// What stands since then.
    since: Fields,
}

impl Blocks {
    /// Takes a line in; gives the key that ends with it.
    fn take_line(&mut self, number: u32, line: &str) -> Option<Fields> {
        let Ok(words) = words(line) else {
            // A quote that is not closed may also be an apostrophe in some text.
            if mentions_a_value(line) {
                self.since.broken.get_or_insert((number, ReadError::Quote));
            }
            return None;
        };
        if words.is_empty() {
            return self.end_of_paragraph();
        }
        let mut finished = None;
        for (name, value) in assignments(&words) {
            let Some(name) = parse_name(name) else { continue };
            if self.since.has(name) {
                // Two keys without a blank line between them.
                finished = self.end_of_paragraph().or_else(|| Some(std::mem::take(&mut self.before)));
            }
            if self.since.is_empty() {
                self.since.line = number;
            }
            self.since.put(name, value);
        }
        finished
    }

    fn end_of_paragraph(&mut self) -> Option<Fields> {
        let since = std::mem::take(&mut self.since);
        if since.shares_a_name_with(&self.before) {
            return Some(std::mem::replace(&mut self.before, since));
        }
        self.before.append(since);
        None
    }

    fn finish(mut self) -> impl Iterator<Item = Fields> {
        let last_but_one = self.end_of_paragraph();
        last_but_one.into_iter().chain([self.before])
    }
}

/// Whether a broken line may have been meant to hold a value.
fn mentions_a_value(line: &str) -> bool {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .any(|word| Name::parse(word.as_bytes()).is_some())
}

/// The assignments among some words, as names and values.
fn assignments(words: &[Word]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    // After `set`, `setenv` and `setx` name and value may be two words.
    let mut two_words = false;
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let text = without_prefix(&word.text);
        if word.is_separator() {
            two_words = false;
            continue;
        }
        if let Some((name, value)) = text.split_once('=').filter(|(name, _)| is_variable(name.trim_end())) {
            let next = words.next_if(|next| value.is_empty() && !word.quoted && is_value(next));
            found.push((name.trim_end(), next.map_or(value.trim_start(), |next| next.text.as_str())));
            continue;
        }
        let name = text.strip_suffix(':').unwrap_or(text);
        if !is_variable(name) {
            continue;
        }
        if let Some(sign) = words.next_if(|next| !next.quoted && next.text.starts_with('=')) {
            let value = &sign.text[1..];
            let next = words.next_if(|next| value.is_empty() && is_value(next));
            found.push((name, next.map_or(value, |next| next.text.as_str())));
        } else if name.len() < text.len() || two_words {
            if let Some(value) = words.next_if(|next| is_value(next)) {
                found.push((name, value.text.as_str()));
            }
        } else {
            two_words = matches!(text.to_ascii_lowercase().as_str(), "set" | "setenv" | "setx");
        }
    }
    found
}

/// A word without PowerShell's drive of environment variables.
fn without_prefix(word: &str) -> &str {
    match word.get(..5) {
        Some(drive) if drive.eq_ignore_ascii_case("$env:") => &word[5..],
        _ => word,
    }
}

fn is_variable(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_inner)
}

/// Whether a word may be the value of the name before it, and no assignment itself.
fn is_value(word: &Word) -> bool {
    let is_assignment =
        word.text.split_once('=').is_some_and(|(name, _)| parse_name(without_prefix(name)).is_some());
    !word.is_separator() && (word.quoted || !is_assignment)
}
