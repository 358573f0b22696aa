//! A quick look at a text: may a part of a secret stand there, in any of the spellings that [`super::spelling`] knows?

use super::SHORTEST_PART;
use super::spelling::{CLASSES, alphanumeric, escape};
use std::cell::Cell;

/// How many characters a mark has.
const MARK: usize = 4;

/// So many marks begin one after the other in a part of a secret: of so many in a text one is looked up.
const STEP: usize = SHORTEST_PART - MARK + 1;

/// 8 KiB for the secrets of nearly everybody. Longer ones have a larger filter, so that one bit in 17 is set at most.
const WORDS: usize = 1 << 10;

/// A text that only seems to hold a mark costs a look at the secrets, and a long one may do so often: after so many, it is
/// looked at closely.
const MAX_SEARCHES: u32 = 16;

/// The marks of the secrets: every four characters in a row, as they stand there and with letters and digits alone.
pub(super) struct Marks<'a> {
    secrets: [&'a str; 2],
    /// A Bloom filter with two bits for a mark, both in one word.
    filter: [u64; WORDS],
    /// What is used instead for long secrets.
    large_filter: Vec<u64>,
    searches: Cell<u32>,
}

/// The last characters of a text in one spelling.
struct Window {
    last: u64,
    count: usize,
}

impl<'a> Marks<'a> {
    pub(super) fn new(secrets: [&'a str; 2]) -> Self {
        let wanted = secrets.into_iter().map(str::len).sum::<usize>().next_power_of_two();
        let large_filter = if wanted > WORDS { vec![0; wanted] } else { Vec::new() };
        let mut marks = Self { secrets, filter: [0; WORDS], large_filter, searches: Cell::new(0) };
        let filter = if wanted > WORDS { &mut marks.large_filter } else { marks.filter.as_mut_slice() };
        for_each_mark(secrets, |mark| {
            let (word, bits) = place_of(mark, filter.len());
            filter[word] |= bits;
        });
        marks
    }

    /// Whether a part of a secret may stand in a text. Never wrong in saying no.
    pub(super) fn may_tell(&self, text: &str) -> bool {
        let [mut plain, mut letters, mut base64, mut hex] = [const { Window { last: 0, count: 0 } }; 4];
        for (place, byte) in text.bytes().enumerate() {
            let class = &CLASSES[usize::from(byte)];
            let told = self.knows(plain.push(byte, 8).every(MARK, STEP, 1))
                || (class.alphanumeric != 0
                    && self.knows(letters.push(class.alphanumeric, 8).every(MARK, STEP, 1)))
                // Four characters are three bytes, and six the four of a mark.
                || class.sextet.is_some_and(|sextet| {
                    self.knows(base64.push(sextet, 6).every(6, 12, 4).map(|last| last >> 4))
                })
                || class.nibble.is_some_and(|nibble| self.knows(hex.push(nibble, 4).every(2 * MARK, 2 * STEP, 2)))
                || (class.begins_escape && escape(&text.as_bytes()[place..]).is_some());
            if told {
                return true;
            }
        }
        false
    }

    /// Whether a text of this length may be a part of a secret, by the mark at its start. Never wrong in saying no.
    pub(super) fn may_begin(&self, part: &[u8; SHORTEST_PART]) -> bool {
        self.may_be(part.first_chunk().map_or(0, |mark| fold(u32::from_be_bytes(*mark))))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the last four bytes of the window")]
    fn knows(&self, mark: Option<u64>) -> bool {
        let Some(mark) = mark.map(|mark| fold(mark as u32)) else { return false };
        self.may_be(mark) && self.is_known(mark)
    }

    fn may_be(&self, mark: u32) -> bool {
        let filter = if self.large_filter.is_empty() { self.filter.as_slice() } else { &self.large_filter };
        let (word, bits) = place_of(mark, filter.len());
        filter[word] & bits == bits
    }

    /// Whether it is a mark, and does not only seem to be one.
    #[cold]
    fn is_known(&self, mark: u32) -> bool {
        self.searches.update(|searches| searches + 1);
        let mut is_known = self.searches.get() > MAX_SEARCHES;
        for_each_mark(self.secrets, |known| is_known |= known == mark);
        is_known
    }
}

impl Window {
    fn push(&mut self, value: u8, bits: u32) -> &mut Self {
        self.last = self.last << bits | u64::from(value);
        self.count += 1;
        self
    }

    /// The window when it is full of `length` characters, for the first `starts` of each `step` places where it begins.
    fn every(&self, length: usize, step: usize, starts: usize) -> Option<u64> {
        let start = self.count.checked_sub(length)?;
        (start % step < starts).then_some(self.last)
    }
}

fn for_each_mark(secrets: [&str; 2], mut each: impl FnMut(u32)) {
    for secret in secrets {
        let mut mark = 0;
        for (place, byte) in secret.bytes().enumerate() {
            mark = mark << 8 | u32::from(byte);
            if place + 1 >= MARK {
                each(fold(mark));
            }
        }
        let mut mark = 0;
        for (place, byte) in alphanumeric(secret.as_bytes()).enumerate() {
            mark = mark << 8 | u32::from(byte);
            if place + 1 >= MARK {
                each(fold(mark));
            }
        }
    }
}

/// Letters in upper and lower case are one.
fn fold(mark: u32) -> u32 {
    mark | 0x2020_2020
}

/// A mark's word in a filter of so many words, and its bits there, by Knuth's multiplicative hash.
fn place_of(mark: u32, words: usize) -> (usize, u64) {
    let hash = u64::from(mark).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((hash >> 44) as usize & (words - 1), 1 << (hash >> 38 & 63) | 1 << (hash >> 32 & 63))
}
