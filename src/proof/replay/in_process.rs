//! The used proofs that this process remembers.

use super::ReplayError;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many proofs are remembered: some 50 MiB at most, and 500 a second for as long as a proof can be used (15 minutes). Further ones
/// are refused, since forgetting one would let it be used again.
pub(super) const MOST: usize = 500_000;

/// The proofs that are forgotten together, by their digests; and the number of the use.
type Slot = HashMap<[u8; 32], u64>;

/// The used proofs, by the minute in which they are forgotten. There are as many slots as a proof can be used for minutes: about 20, so
/// that looking into each is quick, and a whole slot goes at once.
#[derive(Default)]
struct Slots {
    by_minute: BTreeMap<u64, Slot>,
    count: usize,
    /// How often a proof was taken.
    taken: u64,
}

pub(super) struct UsedProofs {
    most: usize,
    slots: Mutex<Slots>,
    remembered: Gauge,
}

impl UsedProofs {
    pub(super) fn new(remembered: Gauge) -> Self {
        Self::with_room_for(MOST, remembered)
    }

    fn with_room_for(most: usize, remembered: Gauge) -> Self {
        Self { most, slots: Mutex::default(), remembered }
    }

    /// Remembers a proof until then. Returns the number of this use.
    pub(super) fn take(&self, id: &[u8; 32], until: SystemTime, now: SystemTime) -> Result<u64, ReplayError> {
        let mut slots = self.lock();
        slots.forget(minute(now));
        let result = slots.take(id, minute(until), self.most);
        self.show(&slots);
        result
    }

    /// Forgets a use, and not a later one of the same proof.
    pub(super) fn give_back(&self, id: &[u8; 32], number: u64) {
        let mut slots = self.lock();
        slots.give_back(id, number);
        self.show(&slots);
    }

    fn show(&self, slots: &Slots) {
        self.remembered.set(slots.count.try_into().unwrap_or(i64::MAX));
    }

    /// No step of ours panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// Forgets what may be forgotten before this minute.
    fn forget(&mut self, minute: u64) {
        while let Some(first) = self.by_minute.first_entry().filter(|first| *first.key() < minute) {
            self.count -= first.remove().len();
        }
    }

    fn take(&mut self, id: &[u8; 32], until: u64, most: usize) -> Result<u64, ReplayError> {
        if self.by_minute.values().any(|slot| slot.contains_key(id)) {
            return Err(ReplayError::Replayed);
        }
        if self.count >= most {
            return Err(ReplayError::Unavailable);
        }
        self.taken += 1;
        self.count += 1;
        self.by_minute.entry(until).or_default().insert(*id, self.taken);
        Ok(self.taken)
    }

    fn give_back(&mut self, id: &[u8; 32], number: u64) {
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
        let remembered = Gauge::default();
        (UsedProofs::with_room_for(most, remembered.clone()), remembered)
    }

    fn id(number: usize) -> [u8; 32] {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        id
    }

    #[test]
    fn a_proof_is_remembered_until_it_may_be_forgotten_and_not_for_much_longer() {
        let (store, remembered) = store(10);
        // Each second of a minute, since what is forgotten together was not taken together.
        for second in 0..60 {
            let (begun, used) = (START + Duration::from_secs(second), id(usize::try_from(second).unwrap()));
            let take = |now| store.take(&used, begun + WINDOW, now).is_ok();
            assert!(take(begun));
            assert!(!take(begun + WINDOW - Duration::from_nanos(1)));
            assert!(!take(begun + WINDOW));
            assert!(take(begun + WINDOW + Duration::from_mins(1)), "{second}");
            assert_eq!(remembered.get(), 1);
            store.slots.lock().unwrap().forget(u64::MAX);
        }
    }

    #[test]
    fn a_use_that_is_given_back_can_be_made_again_and_a_later_one_stays() {
        let (store, remembered) = store(10);
        let take = || store.take(&id(1), START + WINDOW, START);
        let first = take().unwrap();
        store.give_back(&id(1), first);
        assert_eq!(remembered.get(), 0);
        let second = take().unwrap();
        store.give_back(&id(1), first);
        assert_eq!(take(), Err(ReplayError::Replayed));
        store.give_back(&id(1), second);
        assert!(take().is_ok());
    }

    #[test]
    fn a_proof_is_known_whatever_it_is_said_to_be_useful_until() {
        let (store, _) = store(10);
        assert!(store.take(&id(1), START + WINDOW, START).is_ok());
        for minutes in [0, 1, 15, 17, 60] {
            let until = START + Duration::from_mins(minutes);
            assert_eq!(store.take(&id(1), until, START), Err(ReplayError::Replayed), "{minutes}");
        }
    }

    #[test]
    fn when_it_is_full_nothing_is_forgotten_and_nothing_accepted_until_there_is_room() {
        let (store, remembered) = store(100);
        let take = |number, now| store.take(&id(number), now + WINDOW, now);
        for number in 0..100 {
            // In two minutes.
            assert!(take(number, START + Duration::from_secs(number as u64)).is_ok());
        }
        let full = START + Duration::from_secs(100);
        assert_eq!(take(100, full), Err(ReplayError::Unavailable));
        for number in 0..100 {
            assert_eq!(take(number, full), Err(ReplayError::Replayed));
        }
        assert_eq!(remembered.get(), 100);
        let later = START + WINDOW + Duration::from_mins(1);
        assert!(take(100, later).is_ok());
        assert_eq!(remembered.get(), 41, "those of the first minute are forgotten");
    }

    #[test]
    fn what_a_full_store_takes_is_what_its_comment_says() {
        // A slot of hashbrown's is its key, its value and one byte; after doubling, 7/16 of them are in use at least.
        let most_bytes = MOST * (32 + 8 + 1) * 16 / 7;
        assert!(most_bytes < 50 << 20, "{most_bytes}");
    }
}
