//! What a gate keeps: a proxy asks for every request of a client, and STS allows an account some hundred calls a second.
//!
//! Answers for good signed requests are kept, and errors of a proof itself that no later time can mend. Nothing of a proof is kept: it is
//! known by an HMAC ([`CallKeys`]).

use super::caller::Caller;
use crate::credentials::PostedProof;
use crate::proof::ProofError;
use crate::sts::coalescing::{CallKey, CallKeys, ExpiringCache};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The word in logs and metrics for an answer that was kept.
pub(crate) const SOURCE: &str = "cache";

/// How many answers are kept, of 1 KiB each.
const ENTRIES: usize = 10_000;

/// An entry for an error: the error and its place.
const ERROR_BYTES: usize = 64;

/// What is known of a proof.
pub(crate) type Kept = Result<Arc<Caller>, ProofError>;

/// The id of a proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheKey(CallKey);

/// What is kept of proofs.
pub(crate) struct GateCache {
    ids: CallKeys,
    kept: ExpiringCache<Kept>,
    /// Zero keeps nothing.
    time_to_live: Duration,
    audiences: Vec<String>,
}

impl GateCache {
    /// Makes the key by which proofs are told apart. The audiences are part of what an answer is for.
    ///
    /// # Errors
    ///
    /// What the system says when it has no randomness.
    pub(crate) fn new(time_to_live: Duration, audiences: &[String]) -> Result<Self, getrandom::Error> {
        let (ids, audiences) = (CallKeys::new()?, audiences.to_vec());
        Ok(Self { ids, kept: ExpiringCache::new(ENTRIES), time_to_live, audiences })
    }

    /// The id of the whole proof, which has its region in it.
    pub(crate) fn key(&self, proof: &PostedProof) -> CacheKey {
        let text = match proof {
            PostedProof::Token(text) | PostedProof::PresignedUrl(text) => text.text.expose_secret(),
            // It does not come in a header.
            PostedProof::IamLogin(_) => "",
        };
        let values = self.audiences.iter().map(String::as_str).chain([text]);
        CacheKey(self.ids.of("gate", values))
    }

    pub(crate) fn get(&self, key: &CacheKey) -> Option<Kept> {
        self.kept.get(&key.0).map(|kept| kept.value)
    }

    /// Keeps who made a good signed request, no longer than until it is too old.
    pub(crate) fn keep(&self, key: CacheKey, caller: &Arc<Caller>, useful_until: SystemTime) {
        let rest = useful_until.duration_since(SystemTime::now()).unwrap_or_default();
        self.kept.insert(key.0, Ok(caller.clone()), caller.bytes(), self.time_to_live.min(rest));
    }

    /// Keeps an error of the proof itself, unless it is one that a later time or other keys may take back.
    pub(crate) fn keep_refusal(&self, key: CacheKey, error: ProofError) {
        match error {
            ProofError::NotYetValid | ProofError::Replayed | ProofError::SignatureMismatch => {}
            error => self.kept.insert(key.0, Err(error), ERROR_BYTES, self.time_to_live),
        }
    }
}
