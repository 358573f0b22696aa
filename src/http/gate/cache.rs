//! The cache of the gates: a proxy sends a request for every request of a client, and STS allows an account
//! some hundred calls per second.
//!
//! It contains answers for valid signed requests, and errors of a proof itself that can never change. No part
//! of a proof is kept: a proof is identified by an HMAC ([`CallKeys`]).

use super::caller::Caller;
use crate::credentials::PostedProof;
use crate::proof::ProofError;
use crate::sts::coalescing::{CallKey, CallKeys, ExpiringCache};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The word in logs and metrics for a cached answer.
pub(crate) const SOURCE: &str = "cache";

/// The size of the cache in answers of 1 KiB each.
const ENTRIES: usize = 10_000;

/// The size of an error and its entry.
const ERROR_BYTES: usize = 64;

/// The cached result of checking a proof.
pub(crate) type CachedCheck = Result<Arc<Caller>, ProofError>;

/// The key of a proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheKey(CallKey);

/// The cached results by the keys of proofs.
pub(crate) struct GateCache {
    keys: CallKeys,
    entries: ExpiringCache<CachedCheck>,
    /// Zero turns the cache off.
    time_to_live: Duration,
    audiences: Vec<String>,
}

impl GateCache {
    /// Makes the secret for the keys of proofs. The audiences are part of a key, because a result holds for
    /// them only.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub(crate) fn new(time_to_live: Duration, audiences: &[String]) -> Result<Self, getrandom::Error> {
        let (keys, audiences) = (CallKeys::new()?, audiences.to_vec());
        Ok(Self { keys, entries: ExpiringCache::new(ENTRIES), time_to_live, audiences })
    }

    /// The key of the whole proof, which contains its region.
    pub(crate) fn key(&self, proof: &PostedProof) -> CacheKey {
        let text = match proof {
            PostedProof::Token(text) | PostedProof::PresignedUrl(text) => text.text.expose_secret(),
            // This form of proof does not come in a header.
            PostedProof::IamLogin(_) => "",
        };
        let values = self.audiences.iter().map(String::as_str).chain([text]);
        CacheKey(self.keys.of("gate", values))
    }

    pub(crate) fn get(&self, key: &CacheKey) -> Option<CachedCheck> {
        self.entries.get(&key.0).map(|entry| entry.value)
    }

    /// Caches the maker of a valid signed request, at most until the request expires.
    pub(crate) fn insert_caller(&self, key: CacheKey, caller: &Arc<Caller>, useful_until: SystemTime) {
        let time_left = useful_until.duration_since(SystemTime::now()).unwrap_or_default();
        self.entries.insert(key.0, Ok(caller.clone()), caller.bytes(), self.time_to_live.min(time_left));
    }

    /// Caches an error of the proof itself, unless the error may change later or with other keys.
    pub(crate) fn insert_error(&self, key: CacheKey, error: ProofError) {
        match error {
            ProofError::NotYetValid | ProofError::Replayed | ProofError::SignatureMismatch => {}
            error => self.entries.insert(key.0, Err(error), ERROR_BYTES, self.time_to_live),
        }
    }
}
