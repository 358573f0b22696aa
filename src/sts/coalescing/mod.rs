//! STS is asked once for the same question of several callers, at the same time or soon after each other.
//!
//! Callers that post the same credentials for the same region while STS is being asked share that call. The call lives until
//! it has an outcome or no caller waits for it, whoever began it. Each caller waits until its own deadline. The call is not a
//! task: the callers that wait poll it, so that there are never more calls than requests in flight.
//!
//! By default an answer is forgotten as soon as all who waited have it; an operator can have two kinds kept for a while
//! ([`CachePolicy`]): valid, and `ExpiredToken`. No credential is kept: a question is known by its `QuestionId`.

mod cache;
mod id;

use crate::sts::{
    CallOutcome, Identity, Rejection, StsCall, StsFailure, StsResponse, Verdict, Waiter, Waiters,
    WantsRetries,
};
pub(crate) use cache::ExpiringCache;
use futures_util::future::{BoxFuture, FutureExt as _, Shared, WeakShared};
pub(crate) use id::{QuestionId, QuestionIds};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The one rejection that no later answer can take back.
const EXPIRED: &str = "ExpiredToken";

/// How long answers are kept; zero is not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// For valid credentials.
    pub valid: Duration,
    /// For a session that is over.
    pub expired: Duration,
    /// How many answers, of 1 KiB each.
    pub entries: usize,
}

impl CachePolicy {
    /// All that is not named here may be otherwise in a moment: a key just made is unknown for some seconds, a wrong
    /// secret is put right, throttling ends.
    fn time_for(&self, outcome: &CallOutcome) -> Duration {
        match &outcome.outcome {
            Ok(StsResponse::Identity(_)) => self.valid,
            Ok(StsResponse::Rejection(no)) if no.verdict == Verdict::Invalid && no.code == EXPIRED => {
                self.expired
            }
            _ => Duration::ZERO,
        }
    }

    fn keeps_anything(&self) -> bool {
        !self.valid.is_zero() || !self.expired.is_zero()
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// STS was asked for this caller.
    #[default]
    Sts,
    /// STS was being asked already, for another caller.
    InFlight,
    /// It was kept for `age` seconds and will be for another `ttl`.
    Cache { age: u64, ttl: u64 },
}

impl Source {
    /// The word in logs and metrics; none for an answer that was this caller's alone.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Sts => None,
            Self::InFlight => Some("in_flight"),
            Self::Cache { .. } => Some("cache"),
        }
    }
}

/// A call that several callers poll. The last of them drops it.
type SharedCall = Shared<BoxFuture<'static, Arc<CallOutcome>>>;

/// A call under way.
struct Call {
    /// Distinguishes it from a later call for the same question.
    number: u64,
    /// Weak, so that only the callers keep the call alive.
    shared: WeakShared<BoxFuture<'static, Arc<CallOutcome>>>,
    waiters: Arc<Waiters>,
}

/// The calls under way by their questions.
#[derive(Default)]
struct Calls {
    by_question: HashMap<QuestionId, Call>,
    begun: u64,
}

impl Call {
    /// Adds a caller; `None` when the call is just ending.
    fn join(&self, deadline: Instant, wants_retries: &WantsRetries) -> Option<PendingCall> {
        let waiter = self.waiters.join(deadline, wants_retries)?;
        // Last, because it must not be dropped here: the last owner of a call locks the table, which is locked now.
        let shared = self.shared.upgrade()?;
        Some(PendingCall { shared, waiters: self.waiters.clone(), waiter, source: Source::InFlight })
    }
}

/// What is asked, and whether an answer to it may be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    id: QuestionId,
    is_kept: bool,
}

/// How a question will be answered.
pub(crate) enum Lookup {
    /// An answer that was kept.
    Kept(Arc<CallOutcome>, Source),
    /// A call under way, or a new one.
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
    /// The outcome of the call, or what is known at this caller's own deadline.
    pub(crate) async fn outcome(self) -> Arc<CallOutcome> {
        let outcome = self.waiter.wait_for(self.shared).await;
        outcome.unwrap_or_else(|| self.waiters.so_far().into())
    }
}

/// The questions being asked, and the answers kept.
pub(crate) struct Coalescer {
    ids: QuestionIds,
    policy: CachePolicy,
    calls: Arc<Mutex<Calls>>,
    /// None when nothing is to be kept.
    cache: Option<ExpiringCache<Arc<CallOutcome>>>,
}

impl Coalescer {
    /// Makes the key by which questions are told apart.
    ///
    /// # Errors
    ///
    /// What the system says when it has no randomness.
    pub(crate) fn new(policy: CachePolicy) -> Result<Self, getrandom::Error> {
        let cache = policy.keeps_anything().then(|| ExpiringCache::new(policy.entries));
        Ok(Self { ids: QuestionIds::new()?, policy, calls: Arc::default(), cache })
    }

    /// What a call asks. Only with `shared` do other callers with the same call share it.
    pub(crate) fn question(&self, region: &str, call: &StsCall, shared: bool) -> Question {
        match call {
            StsCall::Credentials(credentials) => {
                let [secret, token] = credentials.secrets();
                let values = [region, credentials.access_key_id(), secret, token];
                Question { id: self.ids.of("credentials", values), is_kept: true }
            }
            StsCall::Signed(signed) => {
                let kind = if shared { "signed request" } else { "signed request for one use" };
                Question { id: self.ids.of(kind, signed.values()), is_kept: false }
            }
        }
    }

    /// The kept answer to a question, or a share in the call for it. `begin` makes a new call if none is under way.
    /// `out_of_time` is the outcome if the deadline comes before the first attempt has ended.
    pub(crate) fn join<F>(
        &self,
        question: Question,
        deadline: Instant,
        wants_retries: &WantsRetries,
        out_of_time: CallOutcome,
        begin: impl FnOnce(Arc<Waiters>) -> F,
    ) -> Lookup
    where
        F: Future<Output = CallOutcome> + Send + 'static,
    {
        let mut calls = lock(&self.calls);
        let under_way = calls.by_question.get(&question.id);
        if let Some(pending) = under_way.and_then(|call| call.join(deadline, wants_retries)) {
            return Lookup::Call(pending);
        }
        // A call puts its answer into the cache before it leaves the table, so that it cannot be missed in both.
        let cache = self.cache.as_ref().filter(|_| question.is_kept);
        if let Some(kept) = cache.and_then(|cache| cache.get(&question.id)) {
            let (age, rest) = kept.age_and_rest();
            let source = Source::Cache { age: age.as_secs(), ttl: rest.as_secs() };
            return Lookup::Kept(kept.value, source);
        }
        let (waiters, waiter) = Waiters::first(deadline, wants_retries, out_of_time);
        let shared = self.begin(&mut calls, question, &waiters, begin(waiters.clone()));
        Lookup::Call(PendingCall { shared, waiters, waiter, source: Source::Sts })
    }

    /// Puts a call into the table until it has an outcome or is dropped.
    fn begin(
        &self,
        calls: &mut Calls,
        Question { id, is_kept }: Question,
        waiters: &Arc<Waiters>,
        call: impl Future<Output = CallOutcome> + Send + 'static,
    ) -> SharedCall {
        calls.begun += 1;
        let entry = TableEntry { calls: self.calls.clone(), id, number: calls.begun };
        let (cache, policy) = (self.cache.clone().filter(|_| is_kept), self.policy);
        let call = async move {
            let _entry = entry;
            // A panic would reach one caller only, and the others would wait for ever.
            let outcome = AssertUnwindSafe(call).catch_unwind().await;
            let outcome =
                Arc::new(outcome.unwrap_or_else(|_| {
                    CallOutcome::failed(StsFailure::Internal("the call to STS panicked"))
                }));
            if let Some(cache) = cache {
                cache.insert(id, outcome.clone(), bytes(&outcome), policy.time_for(&outcome));
            }
            outcome
        };
        let call = call.boxed().shared();
        if let Some(shared) = call.downgrade() {
            let call = Call { number: calls.begun, shared, waiters: waiters.clone() };
            calls.by_question.insert(id, call);
        }
        call
    }
}

/// A call's entry in the table. Removed when the call ends or is dropped.
struct TableEntry {
    calls: Arc<Mutex<Calls>>,
    id: QuestionId,
    number: u64,
}

impl Drop for TableEntry {
    fn drop(&mut self) {
        let mut calls = lock(&self.calls);
        // A new caller may have replaced it while its last caller was leaving.
        if calls.by_question.get(&self.id).is_some_and(|call| call.number == self.number) {
            calls.by_question.remove(&self.id);
        }
    }
}

/// A poisoned lock is no reason to stop: no step above panics between two changes that belong together.
fn lock(calls: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// About how much memory an outcome takes: the texts, and a little for each.
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
