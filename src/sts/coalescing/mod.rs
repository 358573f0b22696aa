//! Coalesces calls to STS: several callers with the same call, at the same time or soon after each other, cause
//! one call.
//!
//! Callers that post the same credentials for the same region while a call for them is in progress share that
//! call. The call lives until it has an outcome or no caller waits for it, whichever caller began it. Each
//! caller waits until its own deadline. The call is not a task: the waiting callers poll it, so that there are
//! never more calls than requests in flight.
//!
//! By default an outcome is dropped as soon as all waiting callers have it. The operator can have two kinds
//! cached ([`CachePolicy`]): valid, and `ExpiredToken`. No credentials are kept: a call is identified by its
//! `CallKey`.

mod cache;
mod key;

use crate::sts::{
    CallOutcome, Identity, Rejection, StsCall, StsFailure, StsResponse, Verdict, Waiter, Waiters,
    WantsRetries,
};
pub(crate) use cache::ExpiringCache;
use futures_util::future::{BoxFuture, FutureExt as _, Shared, WeakShared};
pub(crate) use key::{CallKey, CallKeys};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The one rejection that no later answer can change.
const EXPIRED: &str = "ExpiredToken";

/// How long outcomes are cached. Zero means not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// For valid credentials.
    pub valid: Duration,
    /// For expired sessions.
    pub expired: Duration,
    /// The size of the cache in entries of 1 KiB.
    pub entries: usize,
}

impl CachePolicy {
    /// Any other outcome may change at any moment: a new key is unknown for some seconds, a wrong secret is
    /// corrected, throttling ends.
    fn time_for(&self, outcome: &CallOutcome) -> Duration {
        match &outcome.outcome {
            Ok(StsResponse::Identity(_)) => self.valid,
            Ok(StsResponse::Rejection(no)) if no.verdict == Verdict::Invalid && no.code == EXPIRED => {
                self.expired
            }
            _ => Duration::ZERO,
        }
    }

    fn is_enabled(&self) -> bool {
        !self.valid.is_zero() || !self.expired.is_zero()
    }
}

/// Where an outcome comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// STS was called for this caller.
    #[default]
    Sts,
    /// A call was already in progress for another caller.
    InFlight,
    /// The outcome was cached `age` seconds ago and expires in `ttl` seconds.
    Cache { age: u64, ttl: u64 },
}

impl Source {
    /// The word in logs and metrics. `None` if STS was called for this caller alone.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Sts => None,
            Self::InFlight => Some("in_flight"),
            Self::Cache { .. } => Some("cache"),
        }
    }
}

/// A call that several callers poll. It is dropped with the last of them.
type SharedCall = Shared<BoxFuture<'static, Arc<CallOutcome>>>;

/// A call in progress.
struct Call {
    /// Distinguishes the call from a later one with the same key.
    number: u64,
    /// Weak, so that only the callers keep the call alive.
    shared: WeakShared<BoxFuture<'static, Arc<CallOutcome>>>,
    waiters: Arc<Waiters>,
}

/// The calls in progress by their keys.
#[derive(Default)]
struct Calls {
    by_key: HashMap<CallKey, Call>,
    begun: u64,
}

impl Call {
    /// Adds a caller. `None` if the call is just ending.
    fn join(&self, deadline: Instant, wants_retries: &WantsRetries) -> Option<PendingCall> {
        let waiter = self.waiters.join(deadline, wants_retries)?;
        // Last, because the call must not be dropped here: the last owner of a call locks the table, which is
        // locked now.
        let shared = self.shared.upgrade()?;
        Some(PendingCall { shared, waiters: self.waiters.clone(), waiter, source: Source::InFlight })
    }
}

/// The key of a call, and whether its outcome may be cached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyedCall {
    key: CallKey,
    is_cacheable: bool,
}

/// How a call gets its outcome.
pub(crate) enum Lookup {
    /// From the cache.
    Cached(Arc<CallOutcome>, Source),
    /// From a call in progress or a new one.
    Call(PendingCall),
}

/// One caller's share in a call. The caller leaves the call when this is dropped.
pub(crate) struct PendingCall {
    shared: SharedCall,
    waiters: Arc<Waiters>,
    waiter: Waiter,
    pub source: Source,
}

impl PendingCall {
    /// The outcome of the call, or the latest one that is known at this caller's own deadline.
    pub(crate) async fn outcome(self) -> Arc<CallOutcome> {
        let outcome = self.waiter.wait_for(self.shared).await;
        outcome.unwrap_or_else(|| self.waiters.so_far().into())
    }
}

/// The calls in progress and the cached outcomes.
pub(crate) struct Coalescer {
    keys: CallKeys,
    policy: CachePolicy,
    calls: Arc<Mutex<Calls>>,
    /// `None` when nothing is to be cached.
    cache: Option<ExpiringCache<Arc<CallOutcome>>>,
}

impl Coalescer {
    /// Makes the secret for the keys of calls.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub(crate) fn new(policy: CachePolicy) -> Result<Self, getrandom::Error> {
        let cache = policy.is_enabled().then(|| ExpiringCache::new(policy.entries));
        Ok(Self { keys: CallKeys::new()?, policy, calls: Arc::default(), cache })
    }

    /// Computes the key of a call. Only if `shared` is true do other callers with the same call share it.
    pub(crate) fn keyed(&self, region: &str, call: &StsCall, shared: bool) -> KeyedCall {
        match call {
            StsCall::Credentials(credentials) => {
                let [secret, token] = credentials.secrets();
                let values = [region, credentials.access_key_id(), secret, token];
                KeyedCall { key: self.keys.of("credentials", values), is_cacheable: true }
            }
            StsCall::Signed(signed) => {
                let kind = if shared { "signed request" } else { "signed request for one use" };
                KeyedCall { key: self.keys.of(kind, signed.values()), is_cacheable: false }
            }
        }
    }

    /// The cached outcome of a call, or a share in the call. `begin` starts a new call if none is in progress.
    /// `out_of_time` is the outcome if the deadline comes before the first attempt has ended.
    pub(crate) fn join<F>(
        &self,
        keyed: KeyedCall,
        deadline: Instant,
        wants_retries: &WantsRetries,
        out_of_time: CallOutcome,
        begin: impl FnOnce(Arc<Waiters>) -> F,
    ) -> Lookup
    where
        F: Future<Output = CallOutcome> + Send + 'static,
    {
        let mut calls = lock(&self.calls);
        let in_progress = calls.by_key.get(&keyed.key);
        if let Some(pending) = in_progress.and_then(|call| call.join(deadline, wants_retries)) {
            return Lookup::Call(pending);
        }
        // A call is cached before it leaves the table, so it is always found in one of the two.
        let cache = self.cache.as_ref().filter(|_| keyed.is_cacheable);
        if let Some(entry) = cache.and_then(|cache| cache.get(&keyed.key)) {
            let (age, time_left) = entry.age_and_time_left();
            let source = Source::Cache { age: age.as_secs(), ttl: time_left.as_secs() };
            return Lookup::Cached(entry.value, source);
        }
        let (waiters, waiter) = Waiters::first(deadline, wants_retries, out_of_time);
        let shared = self.begin(&mut calls, keyed, &waiters, begin(waiters.clone()));
        Lookup::Call(PendingCall { shared, waiters, waiter, source: Source::Sts })
    }

    /// Puts a call into the table until it has an outcome or is dropped.
    fn begin(
        &self,
        calls: &mut Calls,
        KeyedCall { key, is_cacheable }: KeyedCall,
        waiters: &Arc<Waiters>,
        call: impl Future<Output = CallOutcome> + Send + 'static,
    ) -> SharedCall {
        calls.begun += 1;
        let entry = TableEntry { calls: self.calls.clone(), key, number: calls.begun };
        let (cache, policy) = (self.cache.clone().filter(|_| is_cacheable), self.policy);
        let call = async move {
            let _entry = entry;
            // A panic would reach one caller only, and the others would wait forever.
            let outcome = AssertUnwindSafe(call).catch_unwind().await;
            let outcome =
                Arc::new(outcome.unwrap_or_else(|_| {
                    CallOutcome::failed(StsFailure::Internal("the call to STS panicked"))
                }));
            if let Some(cache) = cache {
                cache.insert(key, outcome.clone(), bytes(&outcome), policy.time_for(&outcome));
            }
            outcome
        };
        let call = call.boxed().shared();
        if let Some(shared) = call.downgrade() {
            let call = Call { number: calls.begun, shared, waiters: waiters.clone() };
            calls.by_key.insert(key, call);
        }
        call
    }
}

/// A call's entry in the table. Removed when the call ends or is dropped.
struct TableEntry {
    calls: Arc<Mutex<Calls>>,
    key: CallKey,
    number: u64,
}

impl Drop for TableEntry {
    fn drop(&mut self) {
        let mut calls = lock(&self.calls);
        // A new call with the same key may have replaced this one while its last caller was leaving.
        if calls.by_key.get(&self.key).is_some_and(|call| call.number == self.number) {
            calls.by_key.remove(&self.key);
        }
    }
}

/// A poisoned lock can still be used: no step above panics between two changes that belong together.
fn lock(calls: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// About how much memory an outcome takes: its texts, and some bytes for each.
fn bytes(outcome: &CallOutcome) -> usize {
    let text = |text: &str| text.len() + 32;
    let optional = |value: &Option<String>| value.as_deref().map_or(0, text);
    match &outcome.outcome {
        Ok(StsResponse::Identity(Identity { user_id, account, arn, request_id, headers, status: _ })) => {
            let headers = headers.iter().map(|(name, value)| text(name) + text(value));
            text(user_id) + text(account) + text(arn) + optional(request_id) + headers.sum::<usize>()
        }
        Ok(StsResponse::Rejection(Rejection { code, message, request_id, status: _, verdict: _ })) => {
            text(code) + optional(message) + optional(request_id)
        }
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests;
