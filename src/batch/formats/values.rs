//! The JSON objects of a file, one after the other: alone, one a line, in an array, or in the array `findings` of an object.
//!
//! A parser would have to be right about all of a file. This splitter only finds where objects begin and end, so that a broken
//! one costs no other: a string does not go on over a line's end, and a `{` that begins a line, no further to the right than
//! the one that began the object, begins another.

use super::MAX_ENTRY_BYTES;
use std::io::{self, BufRead, ErrorKind};
use zeroize::Zeroizing;

/// What stands where an object should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// An object, whose text is [`Values::text`].
    Object,
    TooLong,
    /// An object without its end.
    CutOff,
    /// Not an object. At most one a line.
    Other,
}

/// Splits a file.
pub(super) struct Values<R> {
    input: R,
    splitter: Splitter,
}

impl<R: BufRead> Values<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, splitter: Splitter::default() }
    }

    /// The next value and its line; an error with the line that cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value)>, (u32, io::Error)> {
        if let Some(value) = self.splitter.begin_next() {
            return Ok(Some(value));
        }
        loop {
            let chunk = match self.input.fill_buf() {
                Ok([]) => return Ok(self.splitter.end()),
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err((self.splitter.line, error)),
            };
            let mut found = None;
            let mut used = 0;
            while found.is_none() && used < chunk.len() {
                found = self.splitter.take(chunk[used]);
                used += 1;
            }
            self.input.consume(used);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// The text of the object that was found last.
    pub(super) fn text(&self) -> &[u8] {
        &self.splitter.text
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between values.
    Between,
    /// In a value that is no object.
    Other,
    /// In an object; whether what follows `findings`, of which nothing is kept.
    Object { tail: bool },
    /// Behind a broken object: what does not begin another is passed over.
    Lost,
}

/// Whether the next character is one of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

impl Text {
    /// What follows a character of a string.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Outside, _) | (Self::Inside, b'"') => Self::Outside,
            (Self::Inside, b'\\') => Self::Escaped,
            _ => Self::Inside,
        }
    }
}

struct Splitter {
    state: State,
    text: Zeroizing<Vec<u8>>,
    too_long: bool,
    depth: u32,
    string: Text,
    /// Whether the array is the `findings` of an object.
    in_findings: bool,
    line: u32,
    column: u32,
    /// Nothing but blanks so far in this line.
    at_start: bool,
    /// Where the object began: its line, and its column if nothing stood before it.
    began: (u32, Option<u32>),
    /// The last line of which a value that is no object was told.
    told: u32,
    /// An object that was found to begin where another was cut off.
    next_began: Option<(u32, Option<u32>)>,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            state: State::Between,
            text: Zeroizing::default(),
            too_long: false,
            depth: 0,
            string: Text::Outside,
            in_findings: false,
            line: 1,
            column: 0,
            at_start: true,
            began: (1, None),
            told: 0,
            next_began: None,
        }
    }
}

impl Splitter {
    /// Begins the object at which the one before was cut off.
    fn begin_next(&mut self) -> Option<(u32, Value)> {
        if let Some(began) = self.next_began.take() {
            self.begin(began);
        }
        None
    }

    fn begin(&mut self, began: (u32, Option<u32>)) {
        self.state = State::Object { tail: false };
        self.text.clear();
        self.text.push(b'{');
        self.began = began;
        (self.too_long, self.depth, self.string) = (false, 1, Text::Outside);
    }

    /// Takes a byte in; gives the value that ends with it.
    fn take(&mut self, byte: u8) -> Option<(u32, Value)> {
        let value = match self.state {
            State::Between | State::Lost => self.take_between(byte),
            State::Other => self.take_other(byte),
            State::Object { tail } => self.take_in_object(byte, tail),
        };
        self.column = self.column.saturating_add(1);
        self.at_start &= byte.is_ascii_whitespace();
        if byte == b'\n' {
            self.line = self.line.saturating_add(1);
            (self.column, self.at_start) = (0, true);
        }
        value
    }

    /// Where the byte at hand stands.
    fn here(&self) -> (u32, Option<u32>) {
        (self.line, self.at_start.then_some(self.column))
    }

    fn take_between(&mut self, byte: u8) -> Option<(u32, Value)> {
        match byte {
            b'{' if self.state == State::Between || self.at_start => self.begin(self.here()),
            _ if self.state == State::Lost => {}
            b']' if self.in_findings => {
                self.in_findings = false;
                self.state = State::Object { tail: true };
                (self.depth, self.string) = (1, Text::Outside);
            }
            b',' | b'[' | b']' => {}
            byte if byte.is_ascii_whitespace() => {}
            byte => {
                self.began = self.here();
                self.string = if byte == b'"' { Text::Inside } else { Text::Outside };
                self.state = State::Other;
            }
        }
        None
    }

    fn take_other(&mut self, byte: u8) -> Option<(u32, Value)> {
        let before = self.string;
        self.string = before.after(byte);
        let ends = match (before, byte) {
            (_, b'\n') | (Text::Outside, b',' | b'[' | b']' | b'{') => true,
            (Text::Outside, byte) => byte.is_ascii_whitespace(),
            _ => self.string == Text::Outside,
        };
        if !ends {
            return None;
        }
        self.state = State::Between;
        if before == Text::Outside && byte == b'{' {
            self.begin(self.here());
        }
        self.tell_other()
    }

    fn tell_other(&mut self) -> Option<(u32, Value)> {
        let line = if let State::Object { .. } = self.state { self.line } else { self.began.0 };
        let is_new = line != self.told;
        self.told = line;
        is_new.then_some((line, Value::Other))
    }

    fn take_in_object(&mut self, byte: u8, tail: bool) -> Option<(u32, Value)> {
        if !tail {
            self.keep(byte);
        }
        if self.string != Text::Outside {
            self.string = self.string.after(byte);
            if byte != b'\n' {
                return None;
            }
            self.state = State::Lost;
            return (!tail).then_some((self.began.0, Value::CutOff));
        }
        match byte {
            b'"' => self.string = Text::Inside,
            b'{' if self.begins_another(tail) => {
                self.next_began = Some(self.here());
                self.state = State::Lost;
                return (!tail).then_some((self.began.0, Value::CutOff)).or_else(|| self.begin_next());
            }
            b'{' => self.depth += 1,
            b'[' if self.depth == 1 && !tail && self.is_before_findings() => {
                self.text.clear();
                self.in_findings = true;
                self.state = State::Between;
            }
            b'}' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.state = State::Between;
                    let value = if self.too_long { Value::TooLong } else { Value::Object };
                    return (!tail).then_some((self.began.0, value));
                }
            }
            _ => {}
        }
        None
    }

    fn keep(&mut self, byte: u8) {
        if self.text.len() < MAX_ENTRY_BYTES {
            self.text.push(byte);
        } else {
            self.too_long = true;
            self.text.clear();
        }
    }

    /// Whether the `{` at hand begins an object of its own, since the one before was cut off.
    fn begins_another(&self, tail: bool) -> bool {
        let (line, column) = self.here();
        match (column, self.began.1) {
            (Some(column), Some(began)) => line > self.began.0 && column <= began,
            (Some(column), None) => tail && column == 0,
            _ => false,
        }
    }

    fn is_before_findings(&self) -> bool {
        let mut text = self.text.iter().rev().filter(|byte| !byte.is_ascii_whitespace());
        b"\"findings\":[".iter().rev().all(|byte| text.next() == Some(byte))
    }

    /// What the end of the file leaves open.
    fn end(&mut self) -> Option<(u32, Value)> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Object { tail: false } => Some((self.began.0, Value::CutOff)),
            State::Other => self.tell_other(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
