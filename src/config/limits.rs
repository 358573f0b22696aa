//! What keeps callers, and the answers kept for them, within bounds.

use super::parse;
use crate::sharing::Keep;
use clap::Args;
use std::time::Duration;

/// A session can end and a key be switched off at any time: good news is not kept for longer than this.
const LONGEST_VALID: Duration = Duration::from_mins(1);
/// A session that is over stays over; the bound is for what is held in memory.
const LONGEST_EXPIRED: Duration = Duration::from_mins(10);

/// What keeps callers, and the answers kept for them, within bounds.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// How long the answer for valid credentials is kept and given again, at most 60s. Credentials that end meanwhile are still called valid
    #[arg(long, env = "STS_VERIFY_CACHE_VALID", default_value = "0s", value_name = "TIME", value_parser = |text: &str| parse::duration_up_to(text, LONGEST_VALID))]
    pub cache_valid: Duration,
    /// How long the answer ExpiredToken is kept and given again, at most 10m. No other answer is ever kept
    #[arg(long, env = "STS_VERIFY_CACHE_EXPIRED", default_value = "0s", value_name = "TIME", value_parser = |text: &str| parse::duration_up_to(text, LONGEST_EXPIRED))]
    pub cache_expired: Duration,
    /// How many answers are kept at most; one of more than 1 KiB counts for several
    #[arg(long, env = "STS_VERIFY_CACHE_ENTRIES", default_value = "10000", value_name = "N", value_parser = parse::count)]
    pub cache_entries: usize,
}

impl LimitArgs {
    /// Which answers are kept, and for how long.
    #[must_use]
    pub fn keep(&self) -> Keep {
        Keep { valid: self.cache_valid, expired: self.cache_expired, entries: self.cache_entries }
    }
}
