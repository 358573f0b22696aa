//! The answers of an earlier report for the same list.
//!
//! Valid keys and decoys are not verified again. Invalid keys are, because they may have been corrected since.

use super::answer::Verdict;
use super::formats::lines::{Line, Lines};
use crate::sts::coalescing::CallKeys;
use serde::Deserialize;
use std::io::{self, BufRead, Read};

/// The entries with an answer, by source and key.
pub struct Resume {
    keys: CallKeys,
    /// Sorted. 16 bytes each, since a list may have a million entries.
    valid: Vec<[u8; 16]>,
    canaries: Vec<[u8; 16]>,
    /// The number of lines that are not rows. The last line may have been cut off.
    pub unreadable: u64,
    /// Whether the last line has no line end: text written after it would become part of it.
    pub is_cut: bool,
}

/// Keeps the last byte that was read.
struct LastByte<R> {
    input: R,
    last: u8,
}

impl<R: BufRead> Read for LastByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.last = buffer[..count].last().copied().unwrap_or(self.last);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for LastByte<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let chunk = self.input.fill_buf()?;
        self.last = chunk.last().copied().unwrap_or(self.last);
        Ok(chunk)
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }
}

/// The members of a row that are read.
#[derive(Deserialize)]
struct EarlierRow {
    source: String,
    access_key: Option<String>,
    verdict: String,
    error_code: Option<String>,
}

impl Resume {
    /// Reads an earlier report, in the form of ndjson.
    ///
    /// # Errors
    ///
    /// The report cannot be read, or the system has no randomness.
    pub fn read(report: impl BufRead) -> io::Result<Self> {
        let keys = CallKeys::new().map_err(|error| io::Error::other(error.to_string()))?;
        let mut resume = Self { keys, valid: Vec::new(), canaries: Vec::new(), unreadable: 0, is_cut: false };
        let mut report = LastByte { input: report, last: b'\n' };
        let mut lines = Lines::new(&mut report);
        while let Some(line) = lines.next().map_err(|(_, error)| error)? {
            match line {
                Line::Text(_, text) if text.trim().is_empty() => {}
                Line::Text(_, text) => resume.take(&text),
                Line::TooLong(_) => resume.unreadable += 1,
            }
        }
        resume.is_cut = report.last != b'\n';
        resume.valid.sort_unstable();
        resume.canaries.sort_unstable();
        Ok(resume)
    }

    fn take(&mut self, line: &str) {
        let Ok(row) = serde_json::from_str::<EarlierRow>(line) else {
            self.unreadable += 1;
            return;
        };
        let id = self.id(&row.source, row.access_key.as_deref());
        if row.verdict == Verdict::Valid.as_str() {
            self.valid.push(id);
        } else if row.error_code.as_deref() == Some("CanaryAccount") {
            self.canaries.push(id);
        }
    }

    /// The verdict of an entry that was answered before.
    #[must_use]
    pub fn verdict(&self, source: &str, access_key: Option<&str>) -> Option<Verdict> {
        let id = self.id(source, access_key);
        let known = |keys: &[[u8; 16]]| keys.binary_search(&id).is_ok();
        match (known(&self.valid), known(&self.canaries)) {
            (true, _) => Some(Verdict::Valid),
            (false, true) => Some(Verdict::Skipped),
            (false, false) => None,
        }
    }

    fn id(&self, source: &str, access_key: Option<&str>) -> [u8; 16] {
        self.keys.of("row", [source, access_key.unwrap_or_default()]).short()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_keys_and_decoys_are_known_and_a_cut_line_is_not() {
        let row = |source: &str, verdict: &str, code: &str| {
            format!(
                "{{\"source\":\"{source}\",\"access_key\":\"AKIA…MPLE\",\"verdict\":\"{verdict}\",\"error_code\":{code}}}\n"
            )
        };
        let report = [
            row("a:1", "valid", "null"),
            row("a:2", "skipped", "\"CanaryAccount\""),
            row("a:3", "invalid", "\"ExpiredToken\""),
            row("a:4", "indeterminate", "\"Throttling\""),
            row("a:5", "skipped", "\"Offline\""),
            row("a:6", "valid", "null"),
        ]
        .concat();
        let resume = Resume::read(&report.as_bytes()[..report.len() - 20]).unwrap();
        let known = |n: u32| resume.verdict(&format!("a:{n}"), Some("AKIA…MPLE"));
        let (valid, skipped) = (Some(Verdict::Valid), Some(Verdict::Skipped));
        assert_eq!([1, 2, 3, 4, 5, 6].map(known), [valid, skipped, None, None, None, None]);
        assert_eq!((resume.unreadable, resume.is_cut), (1, true));
        assert!(!Resume::read(report.as_bytes()).unwrap().is_cut);
        assert_eq!(resume.verdict("a:1", Some("ASIA…MPLE")), None);
    }
}
