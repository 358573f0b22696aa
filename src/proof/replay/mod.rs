//! Which proofs were used, where each counts once: in this process, or in Redis for all replicas.
//!
//! A proof is known by a digest; neither it nor any part of it is kept. It is taken before STS is asked, and given back if STS could
//! not say. What cannot be found out is [`ReplayError::Unavailable`]: a proof is never accepted on a doubt.

mod in_process;

use crate::store::Redis;
use in_process::UsedProofs;
use prometheus_client::metrics::gauge::Gauge;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Before the digest of a proof, in Redis.
const PREFIX: &str = "sts-verify:used:";

/// For so long a proof is remembered after it has become too old, since replicas' clocks differ.
const CLOCK_LEEWAY: Duration = Duration::from_mins(1);

/// Which proofs were used. Clones share what they know.
#[derive(Clone)]
pub struct ReplayStore(Keeper);

#[derive(Clone)]
enum Keeper {
    Process(Arc<UsedProofs>),
    Redis(Redis),
}

/// Why a proof may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It was used before, or is being used.
    #[error("the proof was used before")]
    Replayed,
    /// It cannot be found out: Redis cannot be asked, or this process remembers as many proofs as it can. It may count as used.
    #[error("it cannot be found out whether the proof was used before")]
    Unavailable,
}

/// A proof that is being used. It counts as used when this is dropped.
#[must_use = "a proof counts as used until it is given back"]
pub struct Claim(Taken);

enum Taken {
    InProcess { store: Arc<UsedProofs>, id: [u8; 32], number: u64 },
    InRedis { redis: Redis, key: String, nonce: String },
}

/// The digest of what a proof is known by: SHA-256 over the parts, each behind its length in eight bytes.
pub(super) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

impl ReplayStore {
    /// The store of all replicas, or of this process where there is no Redis. `remembered` shows how many proofs this process
    /// remembers.
    #[must_use]
    pub fn new(redis: Option<Redis>, remembered: Gauge) -> Self {
        Self(match redis {
            Some(redis) => Keeper::Redis(redis),
            None => Keeper::Process(Arc::new(UsedProofs::new(remembered))),
        })
    }

    /// Takes the proof with this digest for one use. `useful_until` is after when it is refused as too old; for one proof it has to be
    /// about the same each time.
    ///
    /// A caller that leaves meanwhile gives nothing back.
    ///
    /// # Errors
    ///
    /// [`ReplayError`].
    pub async fn take(&self, id: &[u8; 32], useful_until: SystemTime) -> Result<Claim, ReplayError> {
        let now = SystemTime::now();
        match &self.0 {
            Keeper::Process(store) => {
                let number = store.take(id, useful_until + CLOCK_LEEWAY, now)?;
                Ok(Claim(Taken::InProcess { store: store.clone(), id: *id, number }))
            }
            Keeper::Redis(redis) => take_in_redis(redis, id, useful_until, now).await,
        }
    }
}

async fn take_in_redis(
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
        Ok(true) => Ok(Claim(Taken::InRedis { redis: redis.clone(), key, nonce })),
        Ok(false) => Err(ReplayError::Replayed),
        Err(_) => Err(ReplayError::Unavailable),
    }
}

impl Claim {
    /// The proof was not used: STS could not say whether it is good. It may be used again, unless Redis cannot be told so, which it
    /// counts and logs itself.
    pub async fn give_back(self) {
        match self.0 {
            Taken::InProcess { store, id, number } => store.give_back(&id, number),
            Taken::InRedis { redis, key, nonce } => {
                let _ = redis.release(&key, &nonce).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_the_parts_and_of_where_they_part() {
        let expected = Sha256::digest(b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c");
        assert_eq!(digest(&["ab", "c"])[..], expected[..]);
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["abc"]), digest(&["abc", ""]));
    }
}
