//! STS's memory of wrong secrets.
//!
//! For some five seconds after a wrong secret, STS also answers `SignatureDoesNotMatch` to the right one, if it
//! is used with the same access key ID over the same connection. AWS does not document this; its staff and
//! TruffleHog report it. So a client that tries several secrets of one key needs a connection of its own for
//! each.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};

/// How long a wrong secret is remembered.
const REMEMBERED: Duration = Duration::seconds(5);

/// The time when a wrong secret was last used over this connection, by access key ID. Contains only keys that
/// exist.
#[derive(Debug, Default)]
pub(crate) struct WrongSecrets(Mutex<HashMap<String, OffsetDateTime>>);

impl WrongSecrets {
    /// Whether STS rejects a signature at `now`: because it is wrong, which is recorded, or because a wrong one
    /// was used shortly before.
    pub fn reject(&self, key: &str, wrong: bool, now: OffsetDateTime) -> bool {
        let mut wrong_secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong {
            wrong_secrets.insert(key.to_owned(), now);
        }
        wrong_secrets.get(key).is_some_and(|at| now - *at < REMEMBERED)
    }
}
