//! Where answers go, and how many there are.

use crate::batch::answer::{Answer, KeyInfo, Verdict};
use crate::batch::entry::{Place, ReadError};
use std::io;

/// What has been done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries that were read.
    pub read: u64,
    /// Distinct questions among them.
    pub distinct: u64,
    /// Distinct questions that have an answer.
    pub answered: u64,
    /// Entries by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; 4],
    /// What could not be read.
    pub unreadable: u64,
    /// Findings about other things than AWS keys.
    pub passed_over: u64,
    /// Entries that [`Output::is_done`].
    pub done_before: u64,
    /// Those of them that are valid.
    pub valid_before: u64,
}

impl Totals {
    /// How many entries have a verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }
}

/// Where answers go.
pub trait Output {
    /// The verdict of an entry that is passed over, because its answer is known from before.
    fn is_done(&self, _: &Place, _: &KeyInfo) -> Option<Verdict> {
        None
    }

    /// The answer for an entry.
    ///
    /// # Errors
    ///
    /// What ends the list.
    fn answer(&mut self, place: &Place, key: &KeyInfo, answer: &Answer) -> io::Result<()>;

    /// Something that cannot be read.
    ///
    /// # Errors
    ///
    /// What ends the list.
    fn unreadable(&mut self, place: &Place, reason: ReadError) -> io::Result<()>;

    /// All that is known now has been told.
    ///
    /// # Errors
    ///
    /// What ends the list.
    fn pause(&mut self, totals: &Totals) -> io::Result<()>;
}
