//! The JSON objects of a file, one after the other: alone, one a line, in an array, or in the array `findings` of an object.
//!
//! A parser would have to be right about all of a file. This splitter only finds where objects begin and end, so that a broken
//! one costs no other: a string does not go on over a line's end, and a `{` that begins a line, no further to the right than
//! the one that began the object, begins another where none can stand inside the object.

pub(super) mod text;

use super::MAX_ENTRY_BYTES;
use std::io::{self, BufRead, ErrorKind};
use text::{Text, names_a_key};
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
    /// In an object; whether what follows `findings`.
    Object { tail: bool },
    /// Behind a broken object: what does not begin another is passed over.
    Lost,
}

struct Splitter {
    state: State,
    text: Zeroizing<Vec<u8>>,
    too_long: bool,
    /// What is open in the object: `{` and `[`.
    open: Vec<u8>,
    /// The last character of the object that is neither blank nor in a string.
    last: u8,
    string: Text,
    /// Whether the array is the `findings` of an object.
    in_findings: bool,
    /// What stands before them, where that began, and whether it is too long.
    envelope: (Zeroizing<Vec<u8>>, (u32, Option<u32>), bool),
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
            open: Vec::new(),
            last: 0,
            string: Text::Outside,
            in_findings: false,
            envelope: (Zeroizing::default(), (1, None), false),
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
        self.enter();
    }

    /// Is in an object of which nothing but its `{` is open.
    fn enter(&mut self) {
        (self.too_long, self.last, self.string) = (false, b'{', Text::Outside);
        self.open.clear();
        self.open.push(b'{');
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
                self.enter();
                (self.text, self.began, self.too_long) = std::mem::take(&mut self.envelope);
                self.keep(b']');
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
        let told = self.tell_other();
        if before == Text::Outside && matches!(byte, b'{' | b']') {
            self.take_between(byte);
        }
        told
    }

    fn tell_other(&mut self) -> Option<(u32, Value)> {
        let line = self.began.0;
        let is_new = line != self.told;
        self.told = line;
        is_new.then_some((line, Value::Other))
    }

    fn take_in_object(&mut self, byte: u8, tail: bool) -> Option<(u32, Value)> {
        self.keep(byte);
        if self.string != Text::Outside {
            self.string = self.string.after(byte);
            if byte != b'\n' {
                return None;
            }
            self.state = State::Lost;
            return self.tell_object(tail, Value::CutOff);
        }
        match byte {
            b'"' => self.string = Text::Inside,
            b'{' if self.begins_another(tail) => {
                self.next_began = Some(self.here());
                self.state = State::Lost;
                return self.tell_object(tail, Value::CutOff).or_else(|| self.begin_next());
            }
            b'[' if self.open.len() == 1 && !tail && self.is_before_findings() => {
                self.envelope = (std::mem::take(&mut self.text), self.began, self.too_long);
                self.in_findings = true;
                self.state = State::Between;
            }
            // No object that can be read is so deep.
            b'{' | b'[' if self.open.len() == MAX_ENTRY_BYTES => {
                self.state = State::Lost;
                return self.tell_object(tail, Value::TooLong);
            }
            b'{' | b'[' => self.open.push(byte),
            b']' => drop(self.open.pop_if(|open| *open == b'[')),
            b'}' => {
                while self.open.pop().is_some_and(|open| open == b'[') {}
                if self.open.is_empty() {
                    self.state = State::Between;
                    return self.tell_object(tail, Value::Object);
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        None
    }

    /// Tells the object that has ended; one around findings where that may hold a key, too, or where nobody can know that.
    fn tell_object(&self, tail: bool, value: Value) -> Option<(u32, Value)> {
        let value = if self.too_long && value == Value::Object { Value::TooLong } else { value };
        (!tail || self.too_long || names_a_key(&self.text)).then_some((self.began.0, value))
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
        let may_be_inside = match (self.open.last(), self.last) {
            (Some(b'['), b'[' | b',') => true,
            // The line of an object on one line may be cut off here.
            (_, b':') => !tail && self.begins_its_line_alone(),
            _ => false,
        };
        !may_be_inside
            && match (column, self.began.1) {
                (Some(column), Some(began)) => line > self.began.0 && column <= began,
                (Some(column), None) => tail && column == 0,
                _ => false,
            }
    }

    /// Whether nothing follows in the line of the object's `{`.
    fn begins_its_line_alone(&self) -> bool {
        let mut after = self.text.iter().skip(1).skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        after.next() == Some(&b'\n')
    }

    /// Whether the `[` at hand begins the findings of a report. In what names a key they are something else.
    fn is_before_findings(&self) -> bool {
        let mut text = self.text.iter().rev().filter(|byte| !byte.is_ascii_whitespace());
        b"\"findings\":[".iter().rev().all(|byte| text.next() == Some(byte)) && !names_a_key(&self.text)
    }

    /// What the end of the file leaves open.
    fn end(&mut self) -> Option<(u32, Value)> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Object { tail } => self.tell_object(tail, Value::CutOff),
            State::Other => self.tell_other(),
            // Findings without an end: some may be missing, and what follows them.
            State::Between | State::Lost if std::mem::take(&mut self.in_findings) => {
                Some((self.envelope.1.0, Value::CutOff))
            }
            State::Between | State::Lost => None,
        }
    }
}

#[cfg(test)]
mod tests;
