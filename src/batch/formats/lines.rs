//! The lines of a file, each of limited length.

use super::MAX_ENTRY_BYTES;
use memchr::memchr2;
use std::borrow::Cow;
use std::io::{self, BufRead, ErrorKind};
use zeroize::Zeroizing;

/// Files that were put together into one have it at the start of lines.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads lines.
pub(in crate::batch) struct Lines<R> {
    input: R,
    /// The current line.
    buffer: Zeroizing<Vec<u8>>,
    /// Its number.
    number: u32,
    /// The current line ended with CR: an LF that follows belongs to the line end.
    ended_with_cr: bool,
}

/// A line without its line end. Bytes that are not UTF-8 are replaced: a comment may have another encoding, a
/// value may not.
pub(in crate::batch) enum Line<'a> {
    Text(u32, Cow<'a, str>),
    TooLong(u32),
}

impl<R: BufRead> Lines<R> {
    pub(in crate::batch) fn new(input: R) -> Self {
        Self { input, buffer: Zeroizing::default(), number: 0, ended_with_cr: false }
    }

    /// The next line. An error has the number of the line that cannot be read.
    pub(in crate::batch) fn next(&mut self) -> Result<Option<Line<'_>>, (u32, io::Error)> {
        self.number = self.number.saturating_add(1);
        let number = self.number;
        match self.fill().map_err(|error| (number, error))? {
            Filled::Nothing => Ok(None),
            Filled::TooMuch => Ok(Some(Line::TooLong(number))),
            Filled::Line => {
                let text = self.buffer.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.buffer);
                Ok(Some(Line::Text(number, String::from_utf8_lossy(text))))
            }
        }
    }

    fn fill(&mut self) -> io::Result<Filled> {
        self.buffer.clear();
        let mut filled = Filled::Nothing;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok([]) => return Ok(filled),
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if std::mem::take(&mut self.ended_with_cr) && chunk[0] == b'\n' {
                self.input.consume(1);
                continue;
            }
            let end = memchr2(b'\n', b'\r', chunk);
            self.ended_with_cr = end.is_some_and(|end| chunk[end] == b'\r');
            let text = &chunk[..end.unwrap_or(chunk.len())];
            if self.buffer.len() + text.len() > MAX_ENTRY_BYTES {
                filled = Filled::TooMuch;
            } else if !matches!(filled, Filled::TooMuch) {
                self.buffer.extend_from_slice(text);
                filled = Filled::Line;
            }
            let used = text.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(filled);
            }
        }
    }
}

enum Filled {
    Nothing,
    Line,
    TooMuch,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    fn lines(input: &[u8]) -> Vec<(u32, Option<String>)> {
        // A buffer of three bytes, so that lines arrive in pieces.
        let mut lines = Lines::new(BufReader::with_capacity(3, Cursor::new(input.to_vec())));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(match line {
                Line::Text(number, text) => (number, Some(text.into_owned())),
                Line::TooLong(number) => (number, None),
            });
        }
        all
    }

    #[test]
    fn lines_end_with_lf_or_crlf_or_cr_or_the_file() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            lines(b"a\r\n\r\nbcdefg\nh\xff"),
            [(1, some("a")), (2, some("")), (3, some("bcdefg")), (4, some("h\u{fffd}"))]
        );
        assert_eq!(
            lines(b"a\rb\r\rde\r\n\nf\r"),
            [(1, some("a")), (2, some("b")), (3, some("")), (4, some("de")), (5, some("")), (6, some("f"))]
        );
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"\n"), [(1, some(""))]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_is_read() {
        let long = vec![b'x'; MAX_ENTRY_BYTES + 1];
        let input = [&long[..], b"\nnext\n", &long[1..], b"\r\n"].concat();
        let lines = lines(&input);
        assert_eq!((lines[0].clone(), lines[1].clone()), ((1, None), (2, Some("next".to_owned()))));
        assert_eq!(lines[2].1.as_ref().map(String::len), Some(MAX_ENTRY_BYTES));
    }
}
