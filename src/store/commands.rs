//! What is asked of Redis.

use super::{Operation, Redis, RedisFailure};
use redis::{Value, cmd};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;

/// How long all may take that it takes to find out whether a key was ours: a lost connection is made anew once.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a caller's request waits to be counted.
const RATE_TIMEOUT: Duration = Duration::from_millis(500);

/// Deletes a key if it has this value.
const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// GCRA by the server's clock, in microseconds. The key holds the time at which the caller will have its whole burst again. That is never
/// later than after a whole burst from now, so that a clock that was set back locks nobody out. Returns how long to wait, or 0. Less
/// than a microsecond is a matter of rounding. A number has to be written with 17 digits; Lua's own way is 14.
const GCRA: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local whole = interval * tonumber(ARGV[2])
local rested = tonumber(redis.call('GET', KEYS[1]) or 0)
local next = math.min(math.max(rested, now), now + whole) + interval
local wait = next - whole - now
if wait >= 1 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.17g', next), 'PX', math.ceil((next - now) / 1000))
return 0";

impl Redis {
    /// Makes a key that is not there yet. Returns whether this call made it, which its value tells, where an answer is lost: it
    /// has to be another for each call.
    ///
    /// # Errors
    ///
    /// [`RedisFailure`], when that could not be found out. The key may be there.
    pub(crate) async fn claim(&self, key: &str, value: &str, ttl: Duration) -> Result<bool, RedisFailure> {
        self.told(Operation::Take, self.find_out(key, value, ttl).await)
    }

    async fn find_out(&self, key: &str, value: &str, ttl: Duration) -> Result<bool, RedisFailure> {
        let until = Instant::now() + CLAIM_TIMEOUT;
        let mut set = cmd("SET");
        set.arg(key).arg(value).arg("NX").arg("PX").arg(milliseconds(ttl));
        let first = self.ask(&set, until).await.and_then(|answer| was_set(&answer));
        if !first.as_ref().is_err_and(RedisFailure::outcome_is_unknown) {
            return first;
        }
        if self.ask(&set, until).await.and_then(|answer| was_set(&answer))? {
            return Ok(true);
        }
        match self.ask(cmd("GET").arg(key), until).await? {
            Value::BulkString(holder) => Ok(holder == value.as_bytes()),
            // It was deleted a moment ago.
            Value::Nil => Ok(false),
            _ => Err(RedisFailure::Unexpected),
        }
    }

    /// Deletes a key if it has this value.
    ///
    /// # Errors
    ///
    /// [`RedisFailure`], when it may still be there.
    pub(crate) async fn release(&self, key: &str, value: &str) -> Result<(), RedisFailure> {
        let until = Instant::now() + CLAIM_TIMEOUT;
        let mut release = cmd("EVAL");
        release.arg(RELEASE).arg(1).arg(key).arg(value);
        let mut outcome = self.ask(&release, until).await;
        if outcome.as_ref().is_err_and(RedisFailure::outcome_is_unknown) {
            outcome = self.ask(&release, until).await;
        }
        self.told(Operation::GiveBack, outcome).map(|_| ())
    }

    /// Counts a request of a caller that gets one more each time `interval` has passed, and has `burst` of them after a rest. `Err` in
    /// the result is how long the caller has to wait.
    ///
    /// # Errors
    ///
    /// [`RedisFailure`], when it was not counted, or perhaps was.
    pub(crate) async fn count(
        &self,
        key: &str,
        interval: Duration,
        burst: NonZeroU32,
    ) -> Result<Result<(), Duration>, RedisFailure> {
        let mut count = cmd("EVAL");
        count.arg(GCRA).arg(1).arg(key).arg(interval.as_secs_f64() * 1e6).arg(burst.get());
        let answer = self.ask(&count, Instant::now() + RATE_TIMEOUT).await;
        let wait = answer.and_then(|answer| match answer {
            Value::Int(0) => Ok(Ok(())),
            Value::Int(wait) if wait > 0 => Ok(Err(Duration::from_micros(wait.unsigned_abs()))),
            _ => Err(RedisFailure::Unexpected),
        });
        self.told(Operation::RateLimit, wait)
    }
}

fn was_set(answer: &Value) -> Result<bool, RedisFailure> {
    match answer {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        _ => Err(RedisFailure::Unexpected),
    }
}

/// Redis takes no time to live of 0.
fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX).max(1)
}
