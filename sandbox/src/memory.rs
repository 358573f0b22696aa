//! STS's memory of wrong secrets.
//!
//! For some five seconds after a wrong secret STS answers `SignatureDoesNotMatch` to the right one, too, where it is used
//! with the same access key id over the same connection. AWS does not document it; its staff and TruffleHog report it. So
//! a client that tries several secrets of a key needs a connection of its own for each.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};

/// How long a wrong secret is remembered.
const REMEMBERED: Duration = Duration::seconds(5);

/// When a wrong secret was last used over this connection, by access key id. Only keys that exist are here.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<String, OffsetDateTime>>);

impl Refusals {
    /// Whether STS refuses a signature at `now`: because it is wrong, which is remembered, or because one was shortly
    /// before.
    pub fn refuse(&self, key: &str, wrong: bool, now: OffsetDateTime) -> bool {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong {
            refused.insert(key.to_owned(), now);
        }
        refused.get(key).is_some_and(|at| now - *at < REMEMBERED)
    }
}
