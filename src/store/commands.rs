//! The commands for Redis.

use super::{Operation, Redis, RedisFailure};
use redis::{Value, cmd};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;

/// The time limit for all steps that find out whether this call made a key. A lost connection is made again
/// once.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a caller's request waits to be counted.
const RATE_TIMEOUT: Duration = Duration::from_millis(500);

/// Deletes a key if it has this value.
const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// GCRA by the server's clock, in microseconds. The key contains the time at which the caller has its whole
/// burst again. That is never later than one whole burst from now, so a clock that was set back locks no caller
/// out. Returns the wait, or 0. Less than a microsecond is a rounding error. Numbers are written with 17
/// digits, because Lua's default is 14.
const GCRA: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local whole = interval * tonumber(ARGV[2])
local replenished = tonumber(redis.call('GET', KEYS[1]) or 0)
local next = math.min(math.max(replenished, now), now + whole) + interval
local wait = next - whole - now
if wait >= 1 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.17g', next), 'PX', math.ceil((next - now) / 1000))
return 0";

impl Redis {
    /// Makes a key if it does not exist. Returns whether this call made it. If an answer is lost, the value
    /// shows which call made the key, so each call needs a different value.
    ///
    /// # Errors
    ///
    /// [`RedisFailure`] if that could not be found out. The key may exist.
    pub(crate) async fn claim(&self, key: &str, value: &str, ttl: Duration) -> Result<bool, RedisFailure> {
        self.reported(Operation::Take, self.find_out(key, value, ttl).await)
    }

    async fn find_out(&self, key: &str, value: &str, ttl: Duration) -> Result<bool, RedisFailure> {
        let until = Instant::now() + CLAIM_TIMEOUT;
        let mut set = cmd("SET");
        set.arg(key).arg(value).arg("NX").arg("PX").arg(milliseconds(ttl));
        let first = self.send(&set, until).await.and_then(|answer| was_set(&answer));
        if !first.as_ref().is_err_and(RedisFailure::outcome_is_unknown) {
            return first;
        }
        if self.send(&set, until).await.and_then(|answer| was_set(&answer))? {
            return Ok(true);
        }
        match self.send(cmd("GET").arg(key), until).await? {
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
    /// [`RedisFailure`] if the key may still exist.
    pub(crate) async fn release(&self, key: &str, value: &str) -> Result<(), RedisFailure> {
        let until = Instant::now() + CLAIM_TIMEOUT;
        let mut release = cmd("EVAL");
        release.arg(RELEASE).arg(1).arg(key).arg(value);
        let mut outcome = self.send(&release, until).await;
        if outcome.as_ref().is_err_and(RedisFailure::outcome_is_unknown) {
            outcome = self.send(&release, until).await;
        }
        self.reported(Operation::GiveBack, outcome).map(|_| ())
    }

    /// Counts a request of a caller with these limits. `Err` in the result is the time that the caller has to
    /// wait.
    ///
    /// # Errors
    ///
    /// [`RedisFailure`] if the request was not counted, or possibly not.
    pub(crate) async fn count(
        &self,
        key: &str,
        interval: Duration,
        burst: NonZeroU32,
    ) -> Result<Result<(), Duration>, RedisFailure> {
        let mut count = cmd("EVAL");
        count.arg(GCRA).arg(1).arg(key).arg(interval.as_secs_f64() * 1e6).arg(burst.get());
        let answer = self.send(&count, Instant::now() + RATE_TIMEOUT).await;
        let wait = answer.and_then(|answer| match answer {
            Value::Int(0) => Ok(Ok(())),
            Value::Int(wait) if wait > 0 => Ok(Err(Duration::from_micros(wait.unsigned_abs()))),
            _ => Err(RedisFailure::Unexpected),
        });
        self.reported(Operation::RateLimit, wait)
    }
}

fn was_set(answer: &Value) -> Result<bool, RedisFailure> {
    match answer {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        _ => Err(RedisFailure::Unexpected),
    }
}

/// Redis rejects a time to live of 0.
fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX).max(1)
}
