//! Splits a body into lines as it arrives. It reads no further than the current line needs.

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use memchr::memchr;
use zeroize::Zeroizing;

/// Reads lines of limited length.
pub(super) struct Lines {
    body: BodyDataStream,
    /// The bytes that arrived after the current line.
    rest: Bytes,
    /// The current line as far as it has arrived.
    line: Zeroizing<Vec<u8>>,
    is_too_long: bool,
    max_bytes: usize,
    max_count: u64,
    /// The number of lines so far.
    count: u64,
    is_at_end: bool,
}

/// A line with its number, from 1.
pub(super) struct Line {
    pub number: u64,
    pub text: Result<Zeroizing<Vec<u8>>, LineError>,
}

/// Why a line has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineError {
    /// It is longer than allowed.
    TooLong,
    /// The body has more lines than allowed, blank ones included. This is the last one.
    TooMany,
    /// The body was cut off. This is the last line.
    CutOff,
}

impl Lines {
    pub(super) fn new(body: Body, max_bytes: usize, max_count: u64) -> Self {
        Self {
            body: body.into_data_stream(),
            rest: Bytes::new(),
            line: Zeroizing::default(),
            is_too_long: false,
            max_bytes,
            max_count,
            count: 0,
            is_at_end: false,
        }
    }

    /// The next line that is not blank. Cancel safe: nothing is lost when this is dropped.
    pub(super) async fn next(&mut self) -> Option<Line> {
        while !self.is_at_end {
            if let Some(end) = memchr(b'\n', &self.rest) {
                let text = self.rest.split_to(end + 1);
                self.add(&text[..end]);
                match self.finish() {
                    Some(line) => return Some(line),
                    None => continue,
                }
            }
            let text = std::mem::take(&mut self.rest);
            self.add(&text);
            match self.body.next().await {
                Some(Ok(more)) => self.rest = more,
                Some(Err(_)) => {
                    self.is_at_end = true;
                    return Some(Line { number: self.count + 1, text: Err(LineError::CutOff) });
                }
                None => {
                    self.is_at_end = true;
                    let is_nothing = self.line.is_empty() && !self.is_too_long;
                    return if is_nothing { None } else { self.finish() };
                }
            }
        }
        None
    }

    fn add(&mut self, text: &[u8]) {
        // The line may end in CRLF.
        if self.line.len() + text.len() > self.max_bytes.saturating_add(1) {
            self.is_too_long = true;
            self.line = Zeroizing::default();
        }
        if !self.is_too_long {
            self.line.extend_from_slice(text);
        }
    }

    /// Ends the current line. `None` if it is blank.
    fn finish(&mut self) -> Option<Line> {
        self.count += 1;
        let number = self.count;
        let mut text = std::mem::take(&mut self.line);
        text.pop_if(|last| *last == b'\r');
        let is_too_long = std::mem::take(&mut self.is_too_long) || text.len() > self.max_bytes;
        if number > self.max_count {
            self.is_at_end = true;
            return Some(Line { number, text: Err(LineError::TooMany) });
        }
        if is_too_long {
            return Some(Line { number, text: Err(LineError::TooLong) });
        }
        (!text.trim_ascii().is_empty()).then_some(Line { number, text: Ok(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::io;

    type Piece = Result<&'static str, io::Error>;

    async fn lines(pieces: Vec<Piece>) -> Vec<(u64, Result<String, LineError>)> {
        let mut lines = Lines::new(Body::from_stream(stream::iter(pieces)), 8, 6);
        let mut all = Vec::new();
        while let Some(Line { number, text }) = lines.next().await {
            all.push((number, text.map(|text| String::from_utf8(text.to_vec()).unwrap())));
        }
        all
    }

    #[tokio::test]
    async fn lines_arrive_in_any_pieces_and_blank_ones_are_counted() {
        let good = |number, text: &str| (number, Ok(text.to_owned()));
        let whole = "{\"a\":1}\n\n \r\n{}\r\n{\"b\":2}";
        let all = [good(1, "{\"a\":1}"), good(4, "{}"), good(5, "{\"b\":2}")];
        assert_eq!(lines(vec![Ok(whole)]).await, all);
        let pieces = whole.split_inclusive(|_| true).map(Ok).collect();
        assert_eq!(lines(pieces).await, all);
        assert_eq!(lines(vec![Ok("\n\n")]).await, []);
        assert_eq!(lines(vec![]).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_an_error_and_the_next_is_read() {
        let input = ["12345678\r\n123456", "789\n1\n", "123", "456", "789", "123456789\n12345678", "\r"];
        let all = lines(input.map(Ok).into()).await;
        assert_eq!(
            all,
            [
                (1, Ok("12345678".to_owned())),
                (2, Err(LineError::TooLong)),
                (3, Ok("1".to_owned())),
                (4, Err(LineError::TooLong)),
                (5, Ok("12345678".to_owned())),
            ]
        );
        let all = lines(vec![Ok("123456789\r\n12345678\r\r\n")]).await;
        assert_eq!(all, [(1, Err(LineError::TooLong)), (2, Err(LineError::TooLong))]);
    }

    #[tokio::test]
    async fn the_first_line_above_the_maximum_is_the_last_whatever_it_contains() {
        for line in ["1", "", " ", "123456789"] {
            let endless = (0..100).map(|_| Ok("\n")).chain([Ok("1\n")]);
            let all = lines(vec![Ok("\n\n\n\n1\n1\n"), Ok(line)].into_iter().chain(endless).collect()).await;
            assert_eq!(all, [(5, Ok("1".to_owned())), (6, Ok("1".to_owned())), (7, Err(LineError::TooMany))]);
        }
        assert_eq!(lines(vec![Ok("\n\n\n\n\n1\n")]).await, [(6, Ok("1".to_owned()))]);
    }

    #[tokio::test]
    async fn a_body_that_is_cut_off_ends_with_the_line_that_is_cut_off() {
        let broken = || Err(io::Error::other("the connection is gone"));
        assert_eq!(
            lines(vec![Ok("1\n2"), broken(), Ok("3\n")]).await,
            [(1, Ok("1".to_owned())), (2, Err(LineError::CutOff))]
        );
    }
}
