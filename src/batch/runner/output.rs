//! The receiver of answers, and the counts.

use crate::batch::answer::{Answer, KeyInfo, Verdict};
use crate::batch::entry::{Location, ReadError};
use std::io;

/// The counts of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries that were read.
    pub read: u64,
    /// Distinct requests among them.
    pub distinct: u64,
    /// Distinct requests that have an answer.
    pub answered: u64,
    /// Entries by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; 4],
    /// Entries that could not be read.
    pub unreadable: u64,
    /// Findings that are not about AWS keys.
    pub ignored: u64,
    /// Entries for which [`Output::is_done`] returned a verdict.
    pub done_before: u64,
    /// Those of them that are valid.
    pub valid_before: u64,
}

impl Totals {
    /// The number of entries with a verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }
}

/// Receives the answers.
pub trait Output {
    /// The verdict of an entry that is skipped because its answer is known from an earlier report.
    fn is_done(&self, _: &Location, _: &KeyInfo) -> Option<Verdict> {
        None
    }

    /// The answer for an entry.
    ///
    /// # Errors
    ///
    /// An error ends the list.
    fn answer(&mut self, location: &Location, key: &KeyInfo, answer: &Answer) -> io::Result<()>;

    /// An entry that cannot be read.
    ///
    /// # Errors
    ///
    /// An error ends the list.
    fn unreadable(&mut self, location: &Location, reason: ReadError) -> io::Result<()>;

    /// All answers that are known now have been reported.
    ///
    /// # Errors
    ///
    /// An error ends the list.
    fn pause(&mut self, totals: &Totals) -> io::Result<()>;
}
