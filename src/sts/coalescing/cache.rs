//! A bounded cache whose entries each have a time of their own to live.

use super::id::QuestionId;
use moka::Expiry;
use moka::sync::Cache;
use std::time::{Duration, Instant};

/// What one entry stands for in memory. A longer one counts for as many as it takes.
const ENTRY_BYTES: usize = 1024;

/// Values by the question that they answer. Cheap to clone; clones share the entries.
#[derive(Clone)]
pub(crate) struct ExpiringCache<V>(Cache<QuestionId, Kept<V>>);

/// A value that is kept for a while.
#[derive(Clone)]
pub(crate) struct Kept<V> {
    pub value: V,
    since: Instant,
    /// How long it is kept.
    time_to_live: Duration,
    /// About how much memory it takes.
    bytes: usize,
}

impl<V> Kept<V> {
    /// How long it has been kept, and how long it will be yet.
    pub(crate) fn age_and_rest(&self) -> (Duration, Duration) {
        let age = self.since.elapsed();
        (age, self.time_to_live.saturating_sub(age))
    }
}

impl<V: Clone + Send + Sync + 'static> ExpiringCache<V> {
    /// A cache for so many entries of [`ENTRY_BYTES`].
    pub(crate) fn new(entries: usize) -> Self {
        let cache = Cache::builder()
            .max_capacity(entries.saturating_mul(ENTRY_BYTES) as u64)
            .weigher(|_, kept: &Kept<V>| kept.bytes.max(ENTRY_BYTES).try_into().unwrap_or(u32::MAX))
            .expire_after(ByEntry)
            .build();
        Self(cache)
    }

    /// Keeps a value of about so many bytes for a time; zero is not at all.
    pub(crate) fn insert(&self, id: QuestionId, value: V, bytes: usize, time_to_live: Duration) {
        if !time_to_live.is_zero() {
            self.0.insert(id, Kept { value, since: Instant::now(), time_to_live, bytes });
        }
    }

    pub(crate) fn get(&self, id: &QuestionId) -> Option<Kept<V>> {
        self.0.get(id)
    }
}

/// Each entry lives as long as it was inserted for.
struct ByEntry;

impl<V> Expiry<QuestionId, Kept<V>> for ByEntry {
    fn expire_after_create(&self, _: &QuestionId, kept: &Kept<V>, _: Instant) -> Option<Duration> {
        Some(kept.time_to_live)
    }

    fn expire_after_update(
        &self,
        _: &QuestionId,
        kept: &Kept<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.time_to_live)
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::QuestionIds;
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let ids = QuestionIds::new().unwrap();
        for (bytes, at_most) in [(10, 50), (10 * ENTRY_BYTES, 5)] {
            let cache = ExpiringCache::new(50);
            for n in 0..2_000 {
                cache.insert(ids.of("test", [n.to_string().as_str()]), n, bytes, Duration::from_mins(1));
            }
            cache.0.run_pending_tasks();
            let kept = cache.0.entry_count();
            assert!((1..=at_most).contains(&kept), "{kept}");
            assert!(cache.0.weighted_size() <= 50 * ENTRY_BYTES as u64);
        }
    }

    #[test]
    fn a_value_that_comes_again_lives_as_long_as_it_says_then() {
        let (cache, id) = (ExpiringCache::new(50), QuestionIds::new().unwrap().of("test", [""]));
        cache.insert(id, "first", 10, Duration::from_hours(1));
        cache.insert(id, "second", 10, Duration::from_nanos(1));
        while cache.get(&id).is_some() {}
        cache.insert(id, "third", 10, Duration::ZERO);
        assert!(cache.get(&id).is_none(), "zero is not at all");
    }
}
