//! The callers that wait for one call to STS. Each has its own deadline, and the call ends at the latest of
//! them.
//!
//! The call has no timer. Each caller has one and polls the call when it fires. The call then checks whether a
//! caller with a later deadline is left ([`Waiters::time_is_up`]).

use super::CallOutcome;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::time::{Instant, sleep_until};

/// Whether a caller still wants further attempts. Called before each attempt but the first.
pub type WantsRetries = Arc<dyn Fn() -> bool + Send + Sync>;

/// The callers that wait for the outcome of one call.
pub struct Waiters(Mutex<State>);

struct State {
    /// In the order of their deadlines. The number distinguishes callers with the same deadline.
    present: BTreeMap<(Instant, u64), WantsRetries>,
    /// The number of the next caller.
    joined: u64,
    /// The outcome for a caller whose deadline comes before the call has ended.
    so_far: CallOutcome,
    /// All deadlines have passed, and the call is ending. Nobody can join it.
    ended: bool,
}

impl Waiters {
    /// The first caller of a call. `so_far` is the outcome if time runs out before the first attempt has ended.
    pub fn first(
        deadline: Instant,
        wants_retries: &WantsRetries,
        so_far: CallOutcome,
    ) -> (Arc<Self>, Waiter) {
        let key = (deadline, 0);
        let present = BTreeMap::from([(key, wants_retries.clone())]);
        let waiters = Arc::new(Self(Mutex::new(State { present, joined: 1, so_far, ended: false })));
        (waiters.clone(), Waiter { waiters, key })
    }

    /// Adds a caller. `None` if the call is already ending.
    pub fn join(self: &Arc<Self>, deadline: Instant, wants_retries: &WantsRetries) -> Option<Waiter> {
        let mut state = self.lock();
        if state.ended {
            return None;
        }
        let key = (deadline, state.joined);
        state.joined += 1;
        state.present.insert(key, wants_retries.clone());
        Some(Waiter { waiters: self.clone(), key })
    }

    /// Whether a caller will still be waiting at this time and wants another attempt.
    pub(super) fn want_another(&self, at: Instant) -> bool {
        let state = self.lock();
        let mut still_waiting = state.present.range((at, u64::MAX)..);
        still_waiting.any(|(_, wants_retries)| wants_retries())
    }

    /// Sets the outcome for the case that the deadline comes during the next attempt: an answer of STS says
    /// more than a timeout.
    pub(super) fn set_so_far(&self, outcome: CallOutcome) {
        self.lock().so_far = outcome;
    }

    /// The outcome if the deadline comes now.
    #[must_use]
    pub fn so_far(&self) -> CallOutcome {
        self.lock().so_far.clone()
    }

    /// Resolves when all deadlines have passed. It has no timer of its own: callers poll the call at their
    /// deadlines.
    pub(super) async fn time_is_up(&self) {
        poll_fn(|_| {
            let mut state = self.lock();
            let latest = state.present.last_key_value().map(|((deadline, _), _)| *deadline);
            state.ended = latest.is_some_and(|deadline| deadline <= Instant::now());
            if state.ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// A poisoned lock can still be used: no step above panics between two changes that belong together.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiting caller. It stops waiting on drop.
pub struct Waiter {
    waiters: Arc<Waiters>,
    key: (Instant, u64),
}

impl Waiter {
    /// Waits for the call. `None` if this caller's deadline comes first.
    pub async fn wait_for<T>(self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            // The call is polled before the timer, so that it can end itself at the last deadline.
            biased;
            outcome = call => Some(outcome),
            () = sleep_until(self.key.0) => None,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waiters.lock().present.remove(&self.key);
    }
}
