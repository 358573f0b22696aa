//! A line of the log that would come too often.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A warning of one kind is written once in so long.
const QUIET: Duration = Duration::from_mins(1);

/// Says the same not more often than once a minute.
#[derive(Default)]
pub(crate) struct LogThrottle(Mutex<Option<Instant>>);

impl LogThrottle {
    pub(crate) fn say(&self, what: impl FnOnce()) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= QUIET) {
            *last = Some(Instant::now());
            what();
        }
    }
}
