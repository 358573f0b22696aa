//! STS's limit on the requests per second.

use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

/// Admits this number of requests in each second of the clock.
#[derive(Debug)]
pub(crate) struct Throttle {
    limit: u32,
    /// The second, and the number of its requests so far.
    current: Mutex<(i64, u32)>,
}

impl Throttle {
    pub fn above(limit: u32) -> Self {
        Self { limit, current: Mutex::new((i64::MIN, 0)) }
    }

    /// Counts a request at `now`, unless the limit is reached.
    pub fn admits(&self, now: OffsetDateTime) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != now.unix_timestamp() {
            *current = (now.unix_timestamp(), 0);
        }
        let admitted = current.1 < self.limit;
        current.1 += u32::from(admitted);
        admitted
    }
}
