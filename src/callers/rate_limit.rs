//! How often each caller may ask, and a table of callers that cannot grow without end.
//!
//! The rule is GCRA, governor's: a caller may ask `burst` times at once, and gets one more each time a period has
//! passed. The table holds callers that are not replenished yet; who is replenished is the same as who never came, and goes
//! when room is needed. While all room is taken by callers who are not replenished, nobody is forgotten (an attacker with
//! many addresses could come again as somebody new otherwise): newcomers are put into one of [`OVERFLOW_BUCKETS`] crowds by
//! chance, and all in a crowd share one limit.
//!
//! Where there is Redis it counts, so that all replicas give a caller one limit; its rule is the same. When it cannot be asked, each
//! replica counts by itself again: callers may then ask more often, and nobody is refused for a fault of ours.

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

/// How many callers are told apart: with the crowds, some 4 MiB.
const CALLERS: usize = 100_000;

/// How many limits all those share who come when the table is full.
const OVERFLOW_BUCKETS: u64 = 1_024;

/// A limit that replicas share.
struct Shared {
    redis: Redis,
    /// Before the digest of a caller, in Redis.
    prefix: &'static str,
}

/// So many in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how much time.
    pub period: Duration,
}

/// What one caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerCaller {
    /// How often, in the long run.
    pub rate: Rate,
    /// How often at once, after a rest.
    pub burst: NonZeroU32,
}

impl PerCaller {
    /// After how long a caller gets one more.
    fn interval(&self) -> Duration {
        (self.rate.period / self.rate.count.get()).max(Duration::from_nanos(1))
    }

    /// How often an address may come without a good API key: 60 times at once and then once a second. That is enough to
    /// find a mistake, and the log stays readable.
    pub(crate) const FAILED_AUTHENTICATION: Self = {
        let count = NonZeroU32::new(60).unwrap();
        Self { rate: Rate { count, period: Duration::from_mins(1) }, burst: count }
    };
}

/// The limit of each caller.
pub(crate) struct CallerLimit<C: Clock<Instant = Nanos> = SinceStart> {
    settings: PerCaller,
    shared: Option<Shared>,
    limiter: RateLimiter<CallerId, Table, C, NoOpMiddleware<Nanos>>,
    /// The second in which those who are replenished were last looked for.
    tidied: AtomicU64,
}

impl CallerLimit {
    pub(crate) fn new(settings: &PerCaller) -> Self {
        Self::with_clock(settings, SinceStart(Instant::now()))
    }

    /// The same limit, counted together with other replicas: by those that have this Redis and this prefix.
    pub(crate) fn shared(&self, redis: &Redis, prefix: &'static str) -> Self {
        Self { shared: Some(Shared { redis: redis.clone(), prefix }), ..Self::new(&self.settings) }
    }
}

impl<C: Clock<Instant = Nanos>> CallerLimit<C> {
    fn with_clock(settings: &PerCaller, clock: C) -> Self {
        let interval = settings.interval();
        // Only an interval of nothing has no quota.
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(settings.rate.count));
        let limiter = RateLimiter::new(quota.allow_burst(settings.burst), Table::default(), clock);
        Self { settings: *settings, shared: None, limiter, tidied: AtomicU64::new(u64::MAX) }
    }

    /// Counts a request. `Err` says after how many seconds its caller may ask again.
    pub(crate) async fn check(&self, caller: CallerId) -> Result<(), u16> {
        self.count(caller).await.map_err(whole_seconds)
    }

    /// Counts a request. `Err` says after how long its caller may ask again.
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

    /// Looking through a full table takes a millisecond or two: once a second is enough.
    fn make_room(&self) {
        if self.limiter.len() >= CALLERS {
            let second = self.limiter.clock().now().as_u64() / 1_000_000_000;
            if self.tidied.swap(second, Ordering::Relaxed) != second {
                self.limiter.retain_recent();
            }
        }
    }
}

/// How a caller is known in Redis: by a digest, which is no secret, and has one form for keys and addresses.
fn key(prefix: &str, caller: &CallerId) -> String {
    let digest = match caller {
        CallerId::Key(KeyId(id)) => Sha256::new_with_prefix("key").chain_update(id),
        CallerId::V4(address) => Sha256::new_with_prefix("v4").chain_update(address.octets()),
        CallerId::V6(network) => {
            Sha256::new_with_prefix("v6").chain_update(network.map(u16::to_be_bytes).concat())
        }
        CallerId::OverflowBucket(number) => {
            Sha256::new_with_prefix("crowd").chain_update(number.to_be_bytes())
        }
    };
    format!("{prefix}{}", hex::encode(&digest.finalize()[..16]))
}

/// Rounded up.
fn whole_seconds(wait: Duration) -> u16 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1).try_into().unwrap_or(u16::MAX)
}

/// The time since the process began; the governor's own clocks come with timers and futures.
#[derive(Debug, Clone)]
pub(crate) struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

/// When each caller will be replenished. Its hash has a key of its own, so that nobody can choose a crowd.
#[derive(Debug, Default)]
struct Table(Mutex<HashMap<CallerId, Nanos>>);

impl Table {
    /// No step of ours panics while it is locked, and a half-made one would do no harm.
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
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::net::Ipv4Addr;

    /// More callers than the table and the crowds have room for.
    const FLOOD: u32 = 300_000;

    /// Five at once, and one more every twelve seconds.
    fn limit() -> (CallerLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let five = NonZeroU32::new(5).unwrap();
        let rate = Rate { count: five, period: Duration::from_mins(1) };
        let settings = PerCaller { rate, burst: five };
        (CallerLimit::with_clock(&settings, clock.clone()), clock)
    }

    fn caller(number: u32) -> CallerId {
        CallerId::V4(Ipv4Addr::from_bits(number))
    }

    /// How many of so many requests of a caller are let through.
    fn allowed(limit: &CallerLimit<FakeRelativeClock>, caller: CallerId, requests: u32) -> u32 {
        (0..requests).map(|_| u32::from(limit.count_here(caller).is_ok())).sum()
    }

    #[test]
    fn a_caller_may_ask_in_a_burst_and_then_as_fast_as_the_rate() {
        let (limit, clock) = limit();
        assert_eq!(allowed(&limit, caller(1), 9), 5);
        assert_eq!(limit.count_here(caller(1)), Err(Duration::from_secs(12)));
        clock.advance(Duration::from_millis(11_001));
        let wait = limit.count_here(caller(1)).unwrap_err();
        assert_eq!((wait, whole_seconds(wait)), (Duration::from_millis(999), 1), "rounded up");
        clock.advance(Duration::from_secs(1));
        assert_eq!(allowed(&limit, caller(1), 9), 1);
        assert_eq!(allowed(&limit, caller(2), 9), 5, "another caller has a limit of its own");
        clock.advance(Duration::from_hours(1));
        assert_eq!(allowed(&limit, caller(1), 9), 5, "replenished, it has no more than at first");
    }

    #[test]
    fn the_table_does_not_grow_however_many_callers_come() {
        let (limit, clock) = limit();
        for number in 0..2 * FLOOD {
            let _ = limit.count_here(caller(number));
            assert!(limit.limiter.len() <= CALLERS + 1_024);
            if number % 100_000 == 0 {
                clock.advance(Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn who_used_up_a_limit_is_not_forgotten_by_a_flood_and_the_flood_gets_little() {
        let (limit, _) = limit();
        assert_eq!(allowed(&limit, caller(u32::MAX), 9), 5);
        let flood: u32 = (0..FLOOD).map(|number| allowed(&limit, caller(number), 1)).sum();
        let crowds = 5 * 1_024;
        assert!(flood <= 100_000 + crowds, "{flood}");
        assert_eq!(allowed(&limit, caller(u32::MAX), 9), 0);
        let again: u32 = (0..FLOOD).map(|number| allowed(&limit, caller(number), 1)).sum();
        assert!(again <= 100_000, "{again}");
    }

    #[test]
    fn those_who_are_rested_make_room_for_newcomers() {
        let (limit, clock) = limit();
        for number in 0..FLOOD {
            let _ = limit.count_here(caller(number));
        }
        clock.advance(Duration::from_mins(2));
        assert_eq!(allowed(&limit, caller(2 * FLOOD), 9), 5);
        assert_eq!(limit.limiter.len(), 1);
    }

    #[test]
    fn the_greatest_and_the_least_rate_can_be_reckoned_with() {
        let clock = FakeRelativeClock::default();
        let (one, million) = (NonZeroU32::MIN, NonZeroU32::new(1_000_000).unwrap());
        for (count, period, burst, tried) in [
            (one, Duration::from_hours(1), one, 1),
            (one, Duration::from_hours(1), million, 100),
            (million, Duration::from_secs(1), one, 1),
            (million, Duration::from_secs(1), million, 100),
        ] {
            let settings = PerCaller { rate: Rate { count, period }, burst };
            let limit = CallerLimit::with_clock(&settings, clock.clone());
            assert_eq!(allowed(&limit, caller(1), tried), tried);
            let wait = (period / count.get()).as_secs().max(1);
            let refused = limit.count_here(caller(1)).err().map(|wait| u64::from(whole_seconds(wait)));
            assert_eq!(refused, (burst == one).then_some(wait));
            clock.advance(Duration::from_hours(1));
        }
    }
}
