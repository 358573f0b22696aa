//! A quick test of a text: may it contain a part of a secret, in any of the spellings that [`super::spelling`]
//! knows?
//!
//! A mark is four consecutive characters of a secret. All marks are stored, and of the nine consecutive marks
//! in a part of a secret, one is looked up in a text. The test must be fast, because it is done for every text
//! of every answer.

use super::SHORTEST_PART;
use super::spelling::{CLASSES, NONE, escape, values};

/// The number of characters in a mark.
const MARK: usize = 4;

/// The number of consecutive marks in a part of a secret.
const STEP: usize = SHORTEST_PART - MARK + 1;

/// Room for the marks of typical secrets, which fill half of it. Longer secrets have a larger table.
const ENTRIES: usize = 1 << 10;

/// The marks of the secrets, both complete and with letters and digits only.
///
/// A hash table with linear probing that stores 15 bits of a mark's hash: one in some 30,000 other texts is
/// taken for a mark, and is then searched closely.
pub(super) struct Marks {
    table: [u16; ENTRIES],
    /// The table for long secrets.
    large_table: Vec<u16>,
    /// The key of the hash, so that nobody can choose secrets or texts whose marks collide.
    key: u64,
}

impl Marks {
    pub(super) fn new(secrets: [&str; 2]) -> Self {
        // A character that is not a letter is in four additional marks, besides that of the letters around it.
        let most = secrets.into_iter().map(str::len).sum::<usize>();
        let wanted = 2 * most;
        let large_table = if wanted > ENTRIES { vec![0; wanted.next_power_of_two()] } else { Vec::new() };
        let mut marks = Self { table: [0; ENTRIES], large_table, key: fastrand::u64(..) | 1 };
        if wanted > ENTRIES {
            fill(&mut marks.large_table, marks.key, secrets);
        } else {
            fill(&mut marks.table, marks.key, secrets);
        }
        marks
    }

    /// Whether a text may contain a part of a secret. There are no false negatives.
    pub(super) fn may_tell(&self, text: &str) -> bool {
        // No spelling is shorter than the text that it stands for.
        if text.len() < SHORTEST_PART {
            false
        } else if self.large_table.is_empty() {
            may_tell(&self.table, self.key, text.as_bytes())
        } else {
            may_tell(&self.large_table, self.key, text.as_bytes())
        }
    }

    /// Whether a text of this length may be a part of a secret, by the mark at its start. There are no false
    /// negatives.
    pub(super) fn may_begin(&self, part: &[u8; SHORTEST_PART]) -> bool {
        let table = if self.large_table.is_empty() { self.table.as_slice() } else { &self.large_table };
        part.first_chunk().is_none_or(|mark| contains(table, self.key, u32::from_be_bytes(*mark)))
    }
}

/// A mark of only letters and digits belongs to both kinds.
#[inline]
fn fill(table: &mut [u16], key: u64, secrets: [&str; 2]) {
    for secret in secrets {
        let (mut letters, mut count) = (0, 0);
        for (position, byte) in secret.bytes().enumerate() {
            let letter = CLASSES[usize::from(byte)].alphanumeric;
            if letter == NONE {
                let around = position.saturating_sub(MARK - 1)..secret.len().min(position + MARK);
                for mark in secret.as_bytes()[around].array_windows() {
                    insert(table, key, u32::from_be_bytes(*mark));
                }
                continue;
            }
            letters = letters << 8 | u32::from(letter);
            count += 1;
            if count >= MARK {
                insert(table, key, letters);
            }
        }
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the last four bytes of a window")]
fn may_tell(table: &[u16], key: u64, text: &[u8]) -> bool {
    let is_mark = |mark: u32| contains(table, key, mark);
    let mut plain = text.array_windows().step_by(STEP);
    let letters = Look { bits: 8, length: MARK, first: 1, every: STEP };
    // Four characters of base64 are three bytes, and six characters contain the four bytes of a mark. Three of
    // the marks in a part begin at full bytes.
    let base64 = Look { bits: 6, length: 6, first: 4, every: 12 };
    let hex = Look { bits: 4, length: 2 * MARK, first: 2, every: 2 * STEP };
    let begins_escape = |byte: u8| CLASSES[usize::from(byte)].begins_escape;
    plain.any(|mark| is_mark(u32::from_be_bytes(*mark)))
        || letters.any(values(text, |class| class.alphanumeric), |last| is_mark(last as u32))
        || base64.any(values(text, |class| class.sextet), |last| is_mark((last >> 4) as u32))
        || hex.any(values(text, |class| class.nibble), |last| is_mark(last as u32))
        || (0..text.len())
            .any(|position| begins_escape(text[position]) && escape(&text[position..]).is_some())
}

/// Which positions of a text are looked up: the first few of each period.
struct Look {
    /// The number of bits of a value.
    bits: u32,
    /// The number of values in a mark.
    length: usize,
    first: usize,
    every: usize,
}

impl Look {
    /// Whether a condition holds for the values at one of the positions.
    #[inline]
    fn any(&self, values: impl Iterator<Item = u8>, holds: impl Fn(u64) -> bool) -> bool {
        let mut last = 0;
        // The distance to the first position.
        let mut left = self.length;
        let mut in_a_row = self.first;
        for value in values {
            last = last << self.bits | u64::from(value);
            left -= 1;
            if left == 0 {
                if holds(last) {
                    return true;
                }
                in_a_row -= 1;
                left = 1;
                if in_a_row == 0 {
                    in_a_row = self.first;
                    left = self.every - self.first + 1;
                }
            }
        }
        false
    }
}

fn insert(table: &mut [u16], key: u64, mark: u32) {
    let (mut position, entry) = position_of(key, mark);
    loop {
        let found = &mut table[position & (table.len() - 1)];
        if *found == 0 || *found == entry {
            *found = entry;
            return;
        }
        position += 1;
    }
}

fn contains(table: &[u16], key: u64, mark: u32) -> bool {
    let (mut position, entry) = position_of(key, mark);
    loop {
        match table[position & (table.len() - 1)] {
            0 => return false,
            found if found == entry => return true,
            _ => position += 1,
        }
    }
}

/// The position of a mark in the table, and its entry. Upper and lower case are the same.
#[expect(clippy::cast_possible_truncation, reason = "bits of the hash")]
fn position_of(key: u64, mark: u32) -> (usize, u16) {
    let hash = u64::from(mark | 0x2020_2020).wrapping_mul(key);
    ((hash >> 40) as usize, (hash >> 24) as u16 | 1)
}
