//! A bounded cache in which each entry has its own time to live.

use super::key::CallKey;
use moka::Expiry;
use moka::sync::Cache;
use std::time::{Duration, Instant};

/// The memory that one entry may take. A longer value counts as several entries.
const ENTRY_BYTES: usize = 1024;

/// Values by the key of their call. Clones share the entries.
#[derive(Clone)]
pub(crate) struct ExpiringCache<V>(Cache<CallKey, CacheEntry<V>>);

/// A cached value.
#[derive(Clone)]
pub(crate) struct CacheEntry<V> {
    pub value: V,
    since: Instant,
    time_to_live: Duration,
    /// About how much memory the value takes.
    bytes: usize,
}

impl<V> CacheEntry<V> {
    /// The age of the entry, and its remaining time to live.
    pub(crate) fn age_and_time_left(&self) -> (Duration, Duration) {
        let age = self.since.elapsed();
        (age, self.time_to_live.saturating_sub(age))
    }
}

impl<V: Clone + Send + Sync + 'static> ExpiringCache<V> {
    /// A cache for this many entries of [`ENTRY_BYTES`].
    pub(crate) fn new(entries: usize) -> Self {
        let cache = Cache::builder()
            .max_capacity(entries.saturating_mul(ENTRY_BYTES) as u64)
            .weigher(|_, entry: &CacheEntry<V>| entry.bytes.max(ENTRY_BYTES).try_into().unwrap_or(u32::MAX))
            .expire_after(ByEntry)
            .build();
        Self(cache)
    }

    /// Caches a value of about this many bytes. A time to live of zero means that it is not cached.
    pub(crate) fn insert(&self, key: CallKey, value: V, bytes: usize, time_to_live: Duration) {
        if !time_to_live.is_zero() {
            self.0.insert(key, CacheEntry { value, since: Instant::now(), time_to_live, bytes });
        }
    }

    pub(crate) fn get(&self, key: &CallKey) -> Option<CacheEntry<V>> {
        self.0.get(key)
    }
}

/// Each entry expires after the time that it was inserted with.
struct ByEntry;

impl<V> Expiry<CallKey, CacheEntry<V>> for ByEntry {
    fn expire_after_create(&self, _: &CallKey, entry: &CacheEntry<V>, _: Instant) -> Option<Duration> {
        Some(entry.time_to_live)
    }

    fn expire_after_update(
        &self,
        _: &CallKey,
        entry: &CacheEntry<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.time_to_live)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::CallKeys;
    use super::*;

    #[test]
    fn the_cache_does_not_grow_beyond_its_size() {
        let keys = CallKeys::new().unwrap();
        for (bytes, at_most) in [(10, 50), (10 * ENTRY_BYTES, 5)] {
            let cache = ExpiringCache::new(50);
            for n in 0..2_000 {
                cache.insert(keys.of("test", [n.to_string().as_str()]), n, bytes, Duration::from_mins(1));
            }
            cache.0.run_pending_tasks();
            let count = cache.0.entry_count();
            assert!((1..=at_most).contains(&count), "{count}");
            assert!(cache.0.weighted_size() <= 50 * ENTRY_BYTES as u64);
        }
    }

    #[test]
    fn a_value_that_is_inserted_again_gets_the_new_time_to_live() {
        let (cache, key) = (ExpiringCache::new(50), CallKeys::new().unwrap().of("test", [""]));
        cache.insert(key, "first", 10, Duration::from_hours(1));
        cache.insert(key, "second", 10, Duration::from_nanos(1));
        while cache.get(&key).is_some() {}
        cache.insert(key, "third", 10, Duration::ZERO);
        assert!(cache.get(&key).is_none(), "zero means not at all");
    }
}
