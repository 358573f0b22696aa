//! Finds where the objects of a file begin and end.

use super::text::{Text, ends_line, is_blank, names_a_key};
use crate::batch::formats::MAX_ENTRY_BYTES;
use zeroize::Zeroizing;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::batch::formats) enum Value {
    /// An object, whose text is [`Splitter::text`].
    Object,
    TooLong,
    /// An object without its end.
    CutOff,
    /// Not an object. Reported at most once per line.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between values.
    Between,
    /// In a value that is not an object.
    Other,
    /// In an object. `tail`: in the part after `findings`.
    Object { tail: bool },
    /// After a broken object: bytes are ignored until another object begins.
    Lost,
}

/// Processes a file byte by byte.
pub(super) struct Splitter {
    state: State,
    /// The text of the current object, or of the last one.
    pub(super) text: Zeroizing<Vec<u8>>,
    too_long: bool,
    /// The open brackets of the object: `{` and `[`.
    open: Vec<u8>,
    /// The last character of the object that is neither white space nor in a string.
    last: u8,
    string: Text,
    /// The number of open arrays around the values, and the line of the first one. An array of findings does
    /// not count.
    arrays: (u64, u32),
    /// Whether the array is the `findings` of an object.
    in_findings: bool,
    /// The text before the findings, where it began, and whether it is too long.
    envelope: (Zeroizing<Vec<u8>>, (u32, Option<u32>), bool),
    /// The number of the current line.
    pub(super) line: u32,
    column: u32,
    /// Whether the line is blank so far.
    at_start: bool,
    /// The previous byte: an LF after a CR belongs to the same line end.
    previous: u8,
    /// Where the object began: its line, and its column if nothing was before it on the line.
    began: (u32, Option<u32>),
    /// The last line for which [`Value::Other`] was reported.
    reported: u32,
    /// The start of an object at which the previous one was cut off.
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
            arrays: (0, 1),
            in_findings: false,
            envelope: (Zeroizing::default(), (1, None), false),
            line: 1,
            column: 0,
            at_start: true,
            previous: b'\n',
            began: (1, None),
            reported: 0,
            next_began: None,
        }
    }
}

impl Splitter {
    /// Begins the object at which the previous one was cut off.
    pub(super) fn begin_next(&mut self) -> Option<(u32, Value)> {
        if let Some(began) = self.next_began.take() {
            self.begin(began);
        }
        None
    }

    fn begin(&mut self, began: (u32, Option<u32>)) {
        if self.state == State::Lost {
            // The ends of the arrays may have been ignored.
            self.arrays.0 = 0;
        }
        self.state = State::Object { tail: false };
        self.text.clear();
        self.text.push(b'{');
        self.began = began;
        self.enter();
    }

    /// Enters an object of which only the `{` has been read.
    fn enter(&mut self) {
        (self.too_long, self.last, self.string) = (false, b'{', Text::Outside);
        self.open.clear();
        self.open.push(b'{');
    }

    /// Processes a byte. Returns the value that ends with it.
    pub(super) fn take(&mut self, byte: u8) -> Option<(u32, Value)> {
        let value = match self.state {
            State::Between | State::Lost => self.take_between(byte),
            State::Other => self.take_other(byte),
            State::Object { tail } => self.take_in_object(byte, tail),
        };
        self.column = self.column.saturating_add(1);
        self.at_start = self.at_start && is_blank(byte);
        let previous = std::mem::replace(&mut self.previous, byte);
        if ends_line(byte) && (previous, byte) != (b'\r', b'\n') {
            self.line = self.line.saturating_add(1);
            (self.column, self.at_start) = (0, true);
        }
        value
    }

    /// The position of the current byte.
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
            b'[' => {
                let (count, line) = self.arrays;
                self.arrays = if count == 0 { (1, self.line) } else { (count + 1, line) };
            }
            b']' => self.arrays.0 = self.arrays.0.saturating_sub(1),
            b',' => {}
            byte if is_blank(byte) => {}
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
            (_, b'\n' | b'\r') | (Text::Outside, b',' | b'[' | b']' | b'{') => true,
            (Text::Outside, byte) => byte.is_ascii_whitespace(),
            _ => self.string == Text::Outside,
        };
        if !ends {
            return None;
        }
        self.state = State::Between;
        let found = self.other_value();
        if before == Text::Outside && matches!(byte, b'{' | b'[' | b']') {
            self.take_between(byte);
        }
        found
    }

    fn other_value(&mut self) -> Option<(u32, Value)> {
        let line = self.began.0;
        let is_new = line != self.reported;
        self.reported = line;
        is_new.then_some((line, Value::Other))
    }

    fn take_in_object(&mut self, byte: u8, tail: bool) -> Option<(u32, Value)> {
        self.keep(byte);
        if self.string != Text::Outside {
            self.string = self.string.after(byte);
            if !ends_line(byte) {
                return None;
            }
            self.state = State::Lost;
            return self.object_value(tail, Value::CutOff);
        }
        match byte {
            b'"' => self.string = Text::Inside,
            b'{' if self.begins_another(tail) => {
                self.next_began = Some(self.here());
                self.state = State::Lost;
                return self.object_value(tail, Value::CutOff).or_else(|| self.begin_next());
            }
            b'[' if self.open.len() == 1 && !tail && self.is_before_findings() => {
                self.envelope = (std::mem::take(&mut self.text), self.began, self.too_long);
                self.in_findings = true;
                self.state = State::Between;
            }
            // No readable object is nested so deep.
            b'{' | b'[' if self.open.len() == MAX_ENTRY_BYTES => {
                self.state = State::Lost;
                return self.object_value(tail, Value::TooLong);
            }
            b'{' | b'[' => self.open.push(byte),
            b']' => drop(self.open.pop_if(|open| *open == b'[')),
            b'}' => {
                while self.open.pop().is_some_and(|open| open == b'[') {}
                if self.open.is_empty() {
                    self.state = State::Between;
                    return self.object_value(tail, Value::Object);
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        None
    }

    /// Returns the object that has ended. Also returns the object around findings if it contains a key, or if
    /// it is too long to know that.
    fn object_value(&self, tail: bool, value: Value) -> Option<(u32, Value)> {
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

    /// Whether the current `{` begins a separate object, because the previous one was cut off.
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

    /// Whether nothing follows the object's `{` on its line.
    fn begins_its_line_alone(&self) -> bool {
        let mut after = self.text.iter().skip(1).skip_while(|byte| matches!(byte, b' ' | b'\t'));
        after.next().is_some_and(|byte| ends_line(*byte))
    }

    /// Whether the current `[` begins the findings of a report. In an object that names a key it does not.
    fn is_before_findings(&self) -> bool {
        let mut text = self.text.iter().rev().filter(|byte| !byte.is_ascii_whitespace());
        b"\"findings\":[".iter().rev().all(|byte| text.next() == Some(byte)) && !names_a_key(&self.text)
    }

    /// Ends the value that is open at the end of the file.
    pub(super) fn end(&mut self) -> Option<(u32, Value)> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Object { tail } => {
                self.arrays.0 = 0;
                self.object_value(tail, Value::CutOff)
            }
            State::Other => self.other_value(),
            // Findings without an end: some findings, and text after them, may be missing.
            State::Between | State::Lost if std::mem::take(&mut self.in_findings) => {
                Some((self.envelope.1.0, Value::CutOff))
            }
            // So are values of an array without an end.
            State::Between if std::mem::take(&mut self.arrays.0) > 0 => Some((self.arrays.1, Value::CutOff)),
            State::Between | State::Lost => None,
        }
    }
}
