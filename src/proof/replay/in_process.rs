//! The store of used proofs in this process.

use super::ReplayError;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The maximum number of proofs: at most some 50 MiB, and 500 per second for as long as a proof is valid (15
/// minutes). Further proofs are rejected, since removing one would allow it to be used again.
pub(super) const MOST: usize = 500_000;

/// The digests of the proofs that are removed together, with the number of each use.
type Slot = HashMap<[u8; 32], u64>;

/// The used proofs by the minute in which they are removed. There is one slot for each minute that a proof is
/// valid: about 20, so that looking into each is quick, and a whole slot is removed at once.
#[derive(Default)]
struct Slots {
    by_minute: BTreeMap<u64, Slot>,
    count: usize,
    /// The number of uses so far.
    uses: u64,
}

pub(super) struct UsedProofs {
    most: usize,
    slots: Mutex<Slots>,
    count: Gauge,
}

impl UsedProofs {
    pub(super) fn new(count: Gauge) -> Self {
        Self::with_room_for(MOST, count)
    }

    fn with_room_for(most: usize, count: Gauge) -> Self {
        Self { most, slots: Mutex::default(), count }
    }

    /// Records the use of a proof until this time. Returns the number of the use.
    pub(super) fn mark_used(
        &self,
        id: &[u8; 32],
        until: SystemTime,
        now: SystemTime,
    ) -> Result<u64, ReplayError> {
        let mut slots = self.lock();
        slots.forget(minute(now));
        let result = slots.mark_used(id, minute(until), self.most);
        self.show(&slots);
        result
    }

    /// Removes this use of a proof, but not a later one.
    pub(super) fn undo(&self, id: &[u8; 32], number: u64) {
        let mut slots = self.lock();
        slots.undo(id, number);
        self.show(&slots);
    }

    fn show(&self, slots: &Slots) {
        self.count.set(slots.count.try_into().unwrap_or(i64::MAX));
    }

    /// No step panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// Removes the proofs that expired before this minute.
    fn forget(&mut self, minute: u64) {
        while let Some(first) = self.by_minute.first_entry().filter(|first| *first.key() < minute) {
            self.count -= first.remove().len();
        }
    }

    fn mark_used(&mut self, id: &[u8; 32], until: u64, most: usize) -> Result<u64, ReplayError> {
        if self.by_minute.values().any(|slot| slot.contains_key(id)) {
            return Err(ReplayError::Replayed);
        }
        if self.count >= most {
            return Err(ReplayError::Unavailable);
        }
        self.uses += 1;
        self.count += 1;
        self.by_minute.entry(until).or_default().insert(*id, self.uses);
        Ok(self.uses)
    }

    fn undo(&mut self, id: &[u8; 32], number: u64) {
        for slot in self.by_minute.values_mut() {
            if slot.get(id) == Some(&number) {
                slot.remove(id);
                self.count -= 1;
            }
        }
    }
}

/// The minute of a time.
fn minute(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: SystemTime = UNIX_EPOCH;
    const WINDOW: Duration = Duration::from_mins(16);

    fn store(most: usize) -> (UsedProofs, Gauge) {
        let count = Gauge::default();
        (UsedProofs::with_room_for(most, count.clone()), count)
    }

    fn id(number: usize) -> [u8; 32] {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        id
    }

    #[test]
    fn a_proof_is_kept_until_it_expires_and_not_for_much_longer() {
        let (store, count) = store(10);
        // Each second of a minute, because proofs that are removed together were not all used at the same time.
        for second in 0..60 {
            let (begun, used) = (START + Duration::from_secs(second), id(usize::try_from(second).unwrap()));
            let take = |now| store.mark_used(&used, begun + WINDOW, now).is_ok();
            assert!(take(begun));
            assert!(!take(begun + WINDOW - Duration::from_nanos(1)));
            assert!(!take(begun + WINDOW));
            assert!(take(begun + WINDOW + Duration::from_mins(1)), "{second}");
            assert_eq!(count.get(), 1);
            store.slots.lock().unwrap().forget(u64::MAX);
        }
    }

    #[test]
    fn a_proof_can_be_used_again_after_its_use_was_undone_and_a_later_use_stays() {
        let (store, count) = store(10);
        let take = || store.mark_used(&id(1), START + WINDOW, START);
        let first = take().unwrap();
        store.undo(&id(1), first);
        assert_eq!(count.get(), 0);
        let second = take().unwrap();
        store.undo(&id(1), first);
        assert_eq!(take(), Err(ReplayError::Replayed));
        store.undo(&id(1), second);
        assert!(take().is_ok());
    }

    #[test]
    fn a_used_proof_is_found_whatever_its_expiry_time() {
        let (store, _) = store(10);
        assert!(store.mark_used(&id(1), START + WINDOW, START).is_ok());
        for minutes in [0, 1, 15, 17, 60] {
            let until = START + Duration::from_mins(minutes);
            assert_eq!(store.mark_used(&id(1), until, START), Err(ReplayError::Replayed), "{minutes}");
        }
    }

    #[test]
    fn a_full_store_removes_nothing_and_accepts_nothing_until_there_is_room() {
        let (store, count) = store(100);
        let take = |number, now| store.mark_used(&id(number), now + WINDOW, now);
        for number in 0..100 {
            // Within two minutes.
            assert!(take(number, START + Duration::from_secs(number as u64)).is_ok());
        }
        let full = START + Duration::from_secs(100);
        assert_eq!(take(100, full), Err(ReplayError::Unavailable));
        for number in 0..100 {
            assert_eq!(take(number, full), Err(ReplayError::Replayed));
        }
        assert_eq!(count.get(), 100);
        let later = START + WINDOW + Duration::from_mins(1);
        assert!(take(100, later).is_ok());
        assert_eq!(count.get(), 41, "the proofs of the first minute are removed");
    }

    #[test]
    fn a_full_store_takes_as_much_memory_as_its_comment_says() {
        // A slot of hashbrown takes its key, its value and one byte. After doubling, at least 7/16 of the slots
        // are in use.
        let most_bytes = MOST * (32 + 8 + 1) * 16 / 7;
        assert!(most_bytes < 50 << 20, "{most_bytes}");
    }
}
