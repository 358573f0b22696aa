//! Requests that wait to be sent. A call counts for the account of its key, so the accounts take turns.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use tokio::time::Instant;

/// The waiting requests, by account.
pub(super) struct SpreadQueue<T> {
    by_account: HashMap<u64, VecDeque<T>>,
    /// The accounts with a waiting request, in the order of their turns.
    turns: VecDeque<u64>,
}

impl<T> Default for SpreadQueue<T> {
    fn default() -> Self {
        Self { by_account: HashMap::new(), turns: VecDeque::new() }
    }
}

impl<T> SpreadQueue<T> {
    pub(super) fn push(&mut self, account: u64, value: T) {
        let waiting = self.by_account.entry(account).or_default();
        if waiting.is_empty() {
            self.turns.push_back(account);
        }
        waiting.push_back(value);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let account = self.turns.pop_front()?;
        let waiting = self.by_account.get_mut(&account)?;
        let value = waiting.pop_front();
        if waiting.is_empty() {
            self.by_account.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        value
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

/// Requests that wait for a time.
pub(super) struct Delayed<T>(BinaryHeap<Later<T>>);

struct Later<T> {
    at: Instant,
    value: T,
}

impl<T> Default for Delayed<T> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<T> Delayed<T> {
    pub(super) fn push(&mut self, at: Instant, value: T) {
        self.0.push(Later { at, value });
    }

    /// The time of the first one.
    pub(super) fn first(&self) -> Option<Instant> {
        self.0.peek().map(|later| later.at)
    }

    /// Returns the first one if its time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        self.0.peek().filter(|later| later.at <= now)?;
        self.0.pop().map(|later| later.value)
    }
}

// A heap returns the greatest element first, so the earliest is the greatest.
impl<T> Ord for Later<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl<T> PartialOrd for Later<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Later<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Later<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn accounts_take_turns() {
        let mut queue = SpreadQueue::default();
        for (account, value) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
            queue.push(account, value);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn delayed_requests_come_in_the_order_of_their_times() {
        let (now, mut delayed) = (Instant::now(), Delayed::default());
        for seconds in [3, 1, 2] {
            delayed.push(now + Duration::from_secs(seconds), seconds);
        }
        assert_eq!(delayed.pop_due(now), None);
        let later = now + Duration::from_secs(2);
        assert_eq!(
            [delayed.pop_due(later), delayed.pop_due(later), delayed.pop_due(later)],
            [Some(1), Some(2), None]
        );
        assert_eq!(delayed.first(), Some(now + Duration::from_secs(3)));
    }
}
