//! What an earlier report of the same list already says.
//!
//! A valid key and a decoy are not asked about again. An invalid one is: it may have been corrected since.

use super::formats::lines::{Line, Lines};
use crate::sts::coalescing::QuestionIds;
use serde::Deserialize;
use std::io::{self, BufRead};

/// The entries with an answer, by source and key.
pub struct Resume {
    ids: QuestionIds,
    /// Sorted. 16 bytes each, since a list may have a million places.
    done: Vec<[u8; 16]>,
    /// Lines that are no rows; one at the end may have been cut off.
    pub unreadable: u64,
}

/// What is read of a row.
#[derive(Deserialize)]
struct EarlierRow {
    source: String,
    access_key: String,
    verdict: String,
    error_code: Option<String>,
}

impl Resume {
    /// Reads an earlier report, in the form of ndjson.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the system has no randomness.
    pub fn read(report: impl BufRead) -> io::Result<Self> {
        let ids = QuestionIds::new().map_err(|error| io::Error::other(error.to_string()))?;
        let mut resume = Self { ids, done: Vec::new(), unreadable: 0 };
        let mut lines = Lines::new(report);
        while let Some(line) = lines.next().map_err(|(_, error)| error)? {
            match line {
                Line::Text(_, text) if text.trim().is_empty() => {}
                Line::Text(_, text) => resume.take(&text),
                Line::TooLong(_) => resume.unreadable += 1,
            }
        }
        resume.done.sort_unstable();
        Ok(resume)
    }

    fn take(&mut self, line: &str) {
        let Ok(row) = serde_json::from_str::<EarlierRow>(line) else {
            self.unreadable += 1;
            return;
        };
        if row.verdict == "valid" || row.error_code.as_deref() == Some("CanaryAccount") {
            self.done.push(self.id(&row.source, &row.access_key));
        }
    }

    /// Whether an entry has its answer.
    #[must_use]
    pub fn has(&self, source: &str, access_key: &str) -> bool {
        self.done.binary_search(&self.id(source, access_key)).is_ok()
    }

    fn id(&self, source: &str, access_key: &str) -> [u8; 16] {
        self.ids.of("row", [source, access_key]).short()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_keys_and_decoys_are_known_and_a_cut_line_is_not() {
        let row = |source: &str, verdict: &str, code: &str| {
            format!("{{\"source\":\"{source}\",\"access_key\":\"AKIA…MPLE\",\"verdict\":\"{verdict}\",\"error_code\":{code}}}\n")
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
        let known: Vec<_> = (1..7).filter(|n| resume.has(&format!("a:{n}"), "AKIA…MPLE")).collect();
        assert_eq!((known, resume.unreadable), (vec![1, 2], 1));
        assert!(!resume.has("a:1", "ASIA…MPLE"));
    }
}
