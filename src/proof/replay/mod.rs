//! The used proofs, for single use: in this process, or in Redis for all replicas.
//!
//! A proof is identified by a digest; no part of the proof is kept. It is marked as used before STS is called,
//! and the mark is removed if the verdict is indeterminate. If the store does not answer, the result is
//! [`ReplayError::Unavailable`]: a proof is never accepted when in doubt.

mod in_process;

use crate::store::Redis;
use in_process::UsedProofs;
use prometheus_client::metrics::gauge::Gauge;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The prefix of a proof's digest in Redis.
const PREFIX: &str = "sts-verify:used:";

/// How long a proof is kept after it has expired, because the clocks of replicas differ.
const CLOCK_LEEWAY: Duration = Duration::from_mins(1);

/// The store of used proofs. Clones share it.
#[derive(Clone)]
pub struct ReplayStore(Store);

#[derive(Clone)]
enum Store {
    Process(Arc<UsedProofs>),
    Redis(Redis),
}

/// Why a proof must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It was used before, or is being used.
    #[error("the proof was used before")]
    Replayed,
    /// It cannot be found out: Redis cannot be reached, or the store of this process is full. The proof may
    /// count as used.
    #[error("it cannot be found out whether the proof was used before")]
    Unavailable,
}

/// A proof that is being used. If this is dropped, the proof counts as used.
#[must_use = "a proof counts as used until the use is undone"]
pub struct Claim(Mark);

enum Mark {
    InProcess { store: Arc<UsedProofs>, id: [u8; 32], number: u64 },
    InRedis { redis: Redis, key: String, nonce: String },
}

/// The digest that identifies a proof: SHA-256 over the parts, each preceded by its length in eight bytes.
pub(super) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

impl ReplayStore {
    /// The store of all replicas in Redis, or that of this process if there is no Redis. `count` shows the
    /// number of proofs in this process.
    #[must_use]
    pub fn new(redis: Option<Redis>, count: Gauge) -> Self {
        Self(match redis {
            Some(redis) => Store::Redis(redis),
            None => Store::Process(Arc::new(UsedProofs::new(count))),
        })
    }

    /// Marks the proof with this digest as used. `useful_until` is its expiry time, which must be about the
    /// same each time for one proof.
    ///
    /// If the caller leaves meanwhile, the mark stays.
    ///
    /// # Errors
    ///
    /// [`ReplayError`].
    pub async fn mark_used(&self, id: &[u8; 32], useful_until: SystemTime) -> Result<Claim, ReplayError> {
        let now = SystemTime::now();
        match &self.0 {
            Store::Process(store) => {
                let number = store.mark_used(id, useful_until + CLOCK_LEEWAY, now)?;
                Ok(Claim(Mark::InProcess { store: store.clone(), id: *id, number }))
            }
            Store::Redis(redis) => mark_in_redis(redis, id, useful_until, now).await,
        }
    }
}

async fn mark_in_redis(
    redis: &Redis,
    id: &[u8; 32],
    useful_until: SystemTime,
    now: SystemTime,
) -> Result<Claim, ReplayError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| ReplayError::Unavailable)?;
    let (key, nonce) = (format!("{PREFIX}{}", hex::encode(id)), hex::encode(nonce));
    let ttl = useful_until.duration_since(now).unwrap_or_default() + CLOCK_LEEWAY;
    match redis.claim(&key, &nonce, ttl).await {
        Ok(true) => Ok(Claim(Mark::InRedis { redis: redis.clone(), key, nonce })),
        Ok(false) => Err(ReplayError::Replayed),
        Err(_) => Err(ReplayError::Unavailable),
    }
}

impl Claim {
    /// Removes the mark, because the verdict on the proof was indeterminate. The proof may then be used again.
    /// If Redis cannot be reached, the mark stays, which is counted and logged.
    pub async fn undo(self) {
        match self.0 {
            Mark::InProcess { store, id, number } => store.undo(&id, number),
            Mark::InRedis { redis, key, nonce } => {
                let _ = redis.release(&key, &nonce).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_the_parts_and_on_their_boundaries() {
        let expected = Sha256::digest(b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c");
        assert_eq!(digest(&["ab", "c"])[..], expected[..]);
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["abc"]), digest(&["abc", ""]));
    }
}
