//! Splits a file into its JSON objects: alone, one per line, in an array, or in the array `findings` of an
//! object.
//!
//! A parser would fail on the whole file if a part is broken. This splitter only finds where objects begin and
//! end, so that a broken object costs no other: a string does not continue over a line end, and a `{` at the
//! start of a line, indented no further than the start of the current object, begins another object where none
//! can be inside the current one.

mod splitter;
pub(super) mod text;

use splitter::Splitter;
pub(super) use splitter::Value;
use std::io::{self, BufRead, ErrorKind};

/// Splits a file.
pub(super) struct Values<R> {
    input: R,
    splitter: Splitter,
}

impl<R: BufRead> Values<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, splitter: Splitter::default() }
    }

    /// The next value and its line. An error has the line that cannot be read.
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

    /// The text of the last object.
    pub(super) fn text(&self) -> &[u8] {
        &self.splitter.text
    }
}

#[cfg(test)]
mod tests;
