//! The limits for callers, and for cached answers.

use super::parse;
use crate::callers::{PerCaller, Rate};
use crate::sts::coalescing::CachePolicy;
use clap::Args;
use std::num::NonZeroU32;
use std::time::Duration;

/// A session can end and a key be switched off at any time, so valid answers are cached for at most this time.
const LONGEST_VALID: Duration = Duration::from_mins(1);
/// An expired session stays expired; the limit is for the memory.
const LONGEST_EXPIRED: Duration = Duration::from_mins(10);

/// The limits for callers, and for cached answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// How many requests one caller may send, as in 10/s, 100/m or 1000/h; above that it gets 429 with
    /// Retry-After. A caller is identified by its API key if keys are used, else by its address
    /// [default: no limit]
    #[arg(long, env = "STS_VERIFY_RATE_LIMIT", value_name = "N/UNIT", value_parser = parse::rate)]
    pub rate_limit: Option<Rate>,
    /// How many requests at once a caller may send after a pause [default: the number in the rate limit]
    #[arg(long, env = "STS_VERIFY_RATE_BURST", value_name = "N", value_parser = parse::rate_count)]
    pub rate_burst: Option<NonZeroU32>,
    /// The number of trusted proxies that append to X-Forwarded-For. The client address, which identifies
    /// callers without an API key, is then the entry that the first of them appended, counted from the right;
    /// with 0 it is the peer's
    #[arg(long, env = "STS_VERIFY_TRUSTED_PROXIES", default_value = "0", value_name = "N", value_parser = parse::proxies)]
    pub trusted_proxies: usize,
    /// The maximum number of open connections; further ones are rejected at once
    #[arg(long, env = "STS_VERIFY_MAX_CONNECTIONS", default_value = "8192", value_name = "N", value_parser = parse::count)]
    pub max_connections: usize,
    /// The maximum number of open connections of one client address, where an IPv6 network of 64 bits counts as
    /// one; further ones get 429. Not applied behind trusted proxies, whose addresses all clients share
    #[arg(long, env = "STS_VERIFY_MAX_CONNECTIONS_PER_ADDRESS", default_value = "1024", value_name = "N", value_parser = parse::count)]
    pub max_connections_per_address: usize,
    /// The memory in bytes that all bodies being read may take together; a request whose body does not fit gets
    /// 503 with Retry-After
    #[arg(long, env = "STS_VERIFY_MAX_BODY_MEMORY", default_value = "67108864", value_name = "BYTES", value_parser = parse::bytes)]
    pub max_body_memory: usize,
    /// How long the answer for valid credentials is cached, at most 60s. Credentials that end meanwhile are
    /// still reported as valid
    #[arg(long, env = "STS_VERIFY_CACHE_VALID", default_value = "0s", value_name = "TIME", value_parser = |text: &str| parse::duration_up_to(text, LONGEST_VALID))]
    pub cache_valid: Duration,
    /// How long the answer ExpiredToken is cached, at most 10m. No other answer is ever cached
    #[arg(long, env = "STS_VERIFY_CACHE_EXPIRED", default_value = "0s", value_name = "TIME", value_parser = |text: &str| parse::duration_up_to(text, LONGEST_EXPIRED))]
    pub cache_expired: Duration,
    /// The maximum number of cached answers; one of more than 1 KiB counts for several
    #[arg(long, env = "STS_VERIFY_CACHE_ENTRIES", default_value = "10000", value_name = "N", value_parser = parse::count)]
    pub cache_entries: usize,
}

impl LimitArgs {
    /// Checks these settings against each other. An error is one line.
    pub(super) fn check(&self, max_body_bytes: usize) -> Result<(), String> {
        if self.max_body_memory < max_body_bytes {
            return Err(
                "STS_VERIFY_MAX_BODY_MEMORY: must not be less than STS_VERIFY_MAX_BODY_BYTES".to_owned()
            );
        }
        if self.rate_burst.is_some() && self.rate_limit.is_none() {
            return Err("STS_VERIFY_RATE_BURST: means nothing without STS_VERIFY_RATE_LIMIT".to_owned());
        }
        Ok(())
    }

    /// The limit of one caller, if there is one.
    #[must_use]
    pub fn per_caller(&self) -> Option<PerCaller> {
        let burst = |rate: Rate| self.rate_burst.unwrap_or(rate.count);
        self.rate_limit.map(|rate| PerCaller { rate, burst: burst(rate) })
    }

    /// The maximum number of connections of one address, if the peer is the client.
    #[must_use]
    pub fn connections_per_address(&self) -> Option<usize> {
        (self.trusted_proxies == 0).then_some(self.max_connections_per_address)
    }

    /// Which answers are cached, and for how long.
    #[must_use]
    pub fn cache_policy(&self) -> CachePolicy {
        CachePolicy { valid: self.cache_valid, expired: self.cache_expired, entries: self.cache_entries }
    }
}
