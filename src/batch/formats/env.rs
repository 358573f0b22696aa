//! Assignments of environment variables: `NAME=value` with or without `export`, cmd's `set`, PowerShell's
//! `$Env:`, fish's `set -gx`, csh's `setenv`.
//!
//! A file may contain several keys. Values belong together until a name occurs again or a second access key
//! occurs. Then the values since the last blank line or comment belong to the next key.

use super::Reading;
use super::fields::{Fields, is_region};
use super::lines::{Line, Lines};
use super::words::{Unclosed, Word, words};
use crate::batch::entry::{Emit, Item, Location, ReadError};
use crate::credentials::Name;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};

pub(super) fn read(file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    let mut lines = Lines::new(input);
    let mut blocks = Blocks::default();
    while let Some(line) = lines.next()? {
        let (finished, stray) = match line {
            Line::Text(number, text) => blocks.take_line(number, &text),
            Line::TooLong(number) => {
                blocks.since.broken.get_or_insert((number, ReadError::TooLong));
                (Vec::new(), None)
            }
        };
        let mut flow = finished.into_iter().try_for_each(|fields| emit_key(file, fields, emit));
        if let (Continue(()), Some(line)) = (flow, stray) {
            flow = emit(Item::Unreadable(Location::line(file, line), ReadError::Stray));
        }
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(blocks.finish().try_for_each(|fields| emit_key(file, fields, emit)))
}

/// Whether a line assigns to a variable, whatever its name.
pub(super) fn is_assignment(line: &str) -> bool {
    !assignments(&all_words(line).0).is_empty()
}

/// Whether a line assigns to a variable that is one of the values.
pub(super) fn names_a_value(line: &str) -> bool {
    assignments(&all_words(line).0).iter().any(|(name, _)| parse_name(name).is_some())
}

fn emit_key(file: u32, fields: Fields, emit: &mut Emit<'_>) -> ControlFlow<()> {
    if let Some((line, reason)) = fields.error() {
        return emit(Item::Unreadable(Location::line(file, line), reason));
    }
    if !fields.are_a_key() {
        return Continue(());
    }
    let location = Location::line(file, fields.line);
    emit(match fields.into_posted() {
        Ok(posted) => Item::Entry(location, posted),
        Err(reason) => Item::Unreadable(location, reason),
    })
}

/// Groups values into keys.
#[derive(Default)]
struct Blocks {
    /// The values before the last blank line that belong to the same key.
    before: Fields,
    /// The values since then.
    since: Fields,
    /// Regions that occurred again since then: they may belong to the next key.
    regions: Vec<(Name, String)>,
}

impl Blocks {
    /// Processes a line. Returns the keys that are complete, and the line if it has an access key that is not
    /// read.
    fn take_line(&mut self, number: u32, line: &str) -> (Vec<Fields>, Option<u32>) {
        let (words, is_closed) = all_words(line);
        if words.is_empty() {
            self.regions.clear();
            return (self.end_of_paragraph().into_iter().collect(), None);
        }
        let finished = self.take_words(number, &words, is_closed);
        let keys = || finished.iter().chain([&self.before, &self.since]);
        let is_stray = words.iter().any(|word| keys().all(|fields| fields.lack_a_key_of(&word.text)));
        (finished, is_stray.then_some(number))
    }

    fn take_words(&mut self, number: u32, words: &[Word], is_closed: bool) -> Vec<Fields> {
        let whole = if is_closed { words } else { &words[..words.len() - 1] };
        let whole = assignments(whole);
        let mut finished = Vec::new();
        for (at, assignment) in assignments(words).into_iter().enumerate() {
            let (name, value) = assignment;
            let Some(name) = parse_name(name) else { continue };
            if is_region(name) && self.since.has(name) {
                self.regions.push((name, value.to_owned()));
                continue;
            }
            if self.since.ends_before(name, value) {
                finished.push(self.end_of_key(number));
            }
            if self.since.is_empty() {
                self.since.line = number;
            }
            if whole.get(at) == Some(&assignment) {
                self.since.put(name, value);
            } else {
                self.since.put_broken(name, number, ReadError::Quote);
            }
        }
        if let Some(last) = words.last().filter(|_| !is_closed) {
            names_within(&last.text).for_each(|name| self.since.put_broken(name, number, ReadError::Quote));
        }
        finished
    }

    fn end_of_paragraph(&mut self) -> Option<Fields> {
        let since = std::mem::take(&mut self.since);
        if since.is_another_than(&self.before) {
            return Some(std::mem::replace(&mut self.before, since));
        }
        self.before.append(since);
        None
    }

    /// Ends a key that is not separated from the next by a blank line.
    fn end_of_key(&mut self, number: u32) -> Fields {
        let ended = self.end_of_paragraph();
        self.since.line = number;
        for (name, value) in self.regions.drain(..) {
            self.since.put(name, &value);
        }
        ended.unwrap_or_else(|| std::mem::take(&mut self.before))
    }

    fn finish(mut self) -> impl Iterator<Item = Fields> {
        let last_but_one = self.end_of_paragraph();
        last_but_one.into_iter().chain([self.before])
    }
}

/// The words of a line, and whether the last is complete.
fn all_words(line: &str) -> (Vec<Word>, bool) {
    match words(line) {
        Ok(words) => (words, true),
        Err(Unclosed(words)) => (words, false),
    }
}

/// The value that a name stands for. `REGION` in an environment has another meaning.
fn parse_name(name: &str) -> Option<Name> {
    Name::parse(name.as_bytes())
}

/// The names of values that an unclosed quote may have swallowed. The quote may be an apostrophe.
fn names_within(text: &str) -> impl Iterator<Item = Name> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\''));
    let mut words = words.skip(1).filter(|word| !word.is_empty()).peekable();
    std::iter::from_fn(move || {
        words.next().map(|word| {
            let (name, _) = word
                .split_once('=')
                .or_else(|| words.peek().filter(|next| next.starts_with('=')).map(|_| (word, "")))?;
            parse_name(without_prefix(name))
        })
    })
    .flatten()
}

/// The assignments among some words, as names and values.
fn assignments(words: &[Word]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    // After `set`, `setenv` and `setx`, name and value may be two words.
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
            let value = words.next_if(|next| is_value(next));
            // A member of a JSON object is not an assignment.
            if let Some(value) = value.filter(|value| !value.text.ends_with(',')) {
                found.push((name, value.text.as_str()));
            }
        } else {
            two_words = matches!(text.to_ascii_lowercase().as_str(), "set" | "setenv" | "setx");
        }
    }
    found
}

/// A word without PowerShell's prefix of environment variables.
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

/// Whether a word may be the value of the name before it, and is not an assignment itself.
fn is_value(word: &Word) -> bool {
    let is_assignment =
        word.text.split_once('=').is_some_and(|(name, _)| parse_name(without_prefix(name)).is_some());
    !word.is_separator() && (word.quoted || !is_assignment)
}
