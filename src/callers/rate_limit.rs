//! Limits how often each caller may send requests, with a table of callers of limited size.
//!
//! The rule is GCRA, from the governor crate: a caller may send `burst` requests at once, and gets one more
//! after each period. The table contains the callers that are not replenished yet. A replenished caller is in
//! the same state as a new one, and is removed when room is needed. If no caller is replenished, none is
//! removed: otherwise an attacker with many addresses could start again as a new caller. New callers are then
//! put into one of [`OVERFLOW_BUCKETS`] buckets at random, and all callers in a bucket share one limit.
//!
//! With Redis, all replicas count together, by the same rule, so that a caller has one limit. If Redis cannot
//! be reached, each replica counts by itself: callers may then send more requests, and none is rejected because
//! of our own fault.

use super::{CallerId, KeyId};
use crate::store::Redis;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of callers in the table: with the overflow buckets, some 4 MiB.
const CALLERS: usize = 100_000;

/// The number of limits that new callers share while the table is full.
const OVERFLOW_BUCKETS: u64 = 1_024;

/// A limit that replicas share.
struct Shared {
    redis: Redis,
    /// The prefix of a caller's digest in Redis.
    prefix: &'static str,
}

/// A number of requests per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of requests.
    pub count: NonZeroU32,
    /// The period.
    pub period: Duration,
}

/// The limit of one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerCaller {
    /// The rate in the long run.
    pub rate: Rate,
    /// The number of requests at once.
    pub burst: NonZeroU32,
}

impl PerCaller {
    /// The time after which a caller gets one more request.
    fn interval(&self) -> Duration {
        (self.rate.period / self.rate.count.get()).max(Duration::from_nanos(1))
    }

    /// The limit on requests from one address without a valid API key: 60 at once, then one per second. That is
    /// enough to find a configuration error, and the log stays readable.
    pub(crate) const FAILED_AUTHENTICATION: Self = {
        let count = NonZeroU32::new(60).unwrap();
        Self { rate: Rate { count, period: Duration::from_mins(1) }, burst: count }
    };
}

/// The limits of all callers.
pub(crate) struct CallerLimit<C: Clock<Instant = Nanos> = SinceStart> {
    settings: PerCaller,
    shared: Option<Shared>,
    limiter: RateLimiter<CallerId, Table, C, NoOpMiddleware<Nanos>>,
    /// The second in which replenished callers were last removed.
    tidied: AtomicU64,
}

impl CallerLimit {
    pub(crate) fn new(settings: &PerCaller) -> Self {
        Self::with_clock(settings, SinceStart(Instant::now()))
    }

    /// The same limit, counted together with the replicas that use this Redis and this prefix.
    pub(crate) fn shared(&self, redis: &Redis, prefix: &'static str) -> Self {
        Self { shared: Some(Shared { redis: redis.clone(), prefix }), ..Self::new(&self.settings) }
    }
}

impl<C: Clock<Instant = Nanos>> CallerLimit<C> {
    fn with_clock(settings: &PerCaller, clock: C) -> Self {
        let interval = settings.interval();
        // Only an interval of zero has no quota.
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(settings.rate.count));
        let limiter = RateLimiter::new(quota.allow_burst(settings.burst), Table::default(), clock);
        Self { settings: *settings, shared: None, limiter, tidied: AtomicU64::new(u64::MAX) }
    }

    /// Counts a request. `Err` is the number of seconds after which the caller may send another.
    pub(crate) async fn check(&self, caller: CallerId) -> Result<(), u16> {
        self.count(caller).await.map_err(whole_seconds)
    }

    /// Counts a request. `Err` is the time after which the caller may send another.
    pub(crate) async fn count(&self, caller: CallerId) -> Result<(), Duration> {
        if let Some(Shared { redis, prefix }) = &self.shared {
            let PerCaller { burst, .. } = self.settings;
            let counted = redis.count(&key(prefix, &caller), self.settings.interval(), burst).await;
            if let Ok(counted) = counted {
                return counted;
            }
        }
        self.count_here(caller)
    }

    /// Counts a request in this process.
    fn count_here(&self, caller: CallerId) -> Result<(), Duration> {
        self.make_room();
        let counted = self.limiter.check_key(&caller);
        counted.map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }

    /// Searching a full table takes one or two milliseconds, so once per second is enough.
    fn make_room(&self) {
        if self.limiter.len() >= CALLERS {
            let second = self.limiter.clock().now().as_u64() / 1_000_000_000;
            if self.tidied.swap(second, Ordering::Relaxed) != second {
                self.limiter.retain_recent();
            }
        }
    }
}

/// The key of a caller in Redis: a digest, which is not secret, and has the same form for keys and addresses.
fn key(prefix: &str, caller: &CallerId) -> String {
    let digest = match caller {
        CallerId::Key(KeyId(id)) => Sha256::new_with_prefix("key").chain_update(id),
        CallerId::V4(address) => Sha256::new_with_prefix("v4").chain_update(address.octets()),
        CallerId::V6(network) => {
            Sha256::new_with_prefix("v6").chain_update(network.map(u16::to_be_bytes).concat())
        }
        CallerId::OverflowBucket(number) => {
            Sha256::new_with_prefix("overflow bucket").chain_update(number.to_be_bytes())
        }
    };
    format!("{prefix}{}", hex::encode(&digest.finalize()[..16]))
}

/// Rounded up.
fn whole_seconds(wait: Duration) -> u16 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1).try_into().unwrap_or(u16::MAX)
}

/// The time since the process began. The governor's own clocks depend on timers and futures.
#[derive(Debug, Clone)]
pub(crate) struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

/// The time at which each caller is replenished. Its hash has a random key, so that nobody can choose a bucket.
#[derive(Debug, Default)]
struct Table(Mutex<HashMap<CallerId, Nanos>>);

impl Table {
    /// No step panics while the lock is held, and a partial change would do no harm.
    fn lock(&self) -> MutexGuard<'_, HashMap<CallerId, Nanos>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Table {
    type Key = CallerId;

    fn measure_and_replace<T, F, E>(&self, caller: &CallerId, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut table = self.lock();
        let key = if table.len() < CALLERS || table.contains_key(caller) {
            *caller
        } else {
            CallerId::OverflowBucket(table.hasher().hash_one(caller) % OVERFLOW_BUCKETS)
        };
        let (allowed, replenished) = measure(table.get(&key).copied())?;
        table.insert(key, replenished);
        Ok(allowed)
    }
}

impl ShrinkableKeyedStateStore<CallerId> for Table {
    fn retain_recent(&self, before: Nanos) {
        self.lock().retain(|_, replenished| *replenished >= before);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests;
