//! Limits how many requests wait for STS at once, and shares the permits among regions and among callers.
//!
//! While permits are free, every request gets one: a single region or a single caller may hold all of them.
//! When none is free, a new request can take the permit of another one, which is then rejected instead. So
//! neither a region that does not answer nor a caller that sends requests without end keeps others out, even if
//! it holds all permits by then. Network switches share their buffers by the same rule ("longest queue drop").
//!
//! The request that loses its permit is found by comparing loads. The load of a request is the number of
//! permits that its region holds or that its caller holds, whichever is greater. What both requests have in
//! common does not count: two requests to one region are compared by their callers, and two requests of one
//! caller by their regions. The request with the greatest load loses its permit, the newest one first, if its
//! load is at least [`FACTOR`] times that of the new request. With a smaller factor, two equal callers would
//! take permits from each other all the time and waste the calls made so far.

use super::CallerId;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// A request loses its permit only if its load is at least this many times the load of the new request, which
/// is included in the count.
const FACTOR: usize = 2;

/// The permits for requests in flight.
pub(crate) struct InFlight {
    most: usize,
    held: Mutex<Held>,
    /// Notified when a permit is released.
    released: Notify,
}

/// The permits that are held.
#[derive(Default)]
struct Held {
    /// By number: the newest comes last.
    requests: BTreeMap<u64, Request>,
    begun: u64,
    regions: Counts<Arc<str>>,
    callers: Counts<CallerId>,
}

/// A request that holds a permit.
struct Request {
    region: Counted<Arc<str>>,
    caller: Counted<CallerId>,
    /// Dropped to revoke the permit.
    _revoke: oneshot::Sender<()>,
}

/// The number of permits that each region, or each caller, holds. It has no entry for those that hold none.
struct Counts<K>(HashMap<K, Arc<AtomicUsize>>);

/// A region or a caller with the number of permits that it holds. Its requests share the number.
struct Counted<K> {
    key: K,
    held: Arc<AtomicUsize>,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn of(&self, key: &K) -> usize {
        self.0.get(key).map_or(0, |held| held.load(Ordering::Relaxed))
    }

    fn add(&mut self, key: K) -> Counted<K> {
        let held = self.0.entry(key.clone()).or_default().clone();
        held.fetch_add(1, Ordering::Relaxed);
        Counted { key, held }
    }

    fn subtract(&mut self, counted: &Counted<K>) {
        if counted.held.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.remove(&counted.key);
        }
    }
}

/// The permit of one request. It is released on drop.
pub(crate) struct Permit {
    in_flight: Arc<InFlight>,
    number: u64,
    revoked: oneshot::Receiver<()>,
}

impl InFlight {
    /// Makes `most` permits.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default(), released: Notify::new() })
    }

    /// A permit for a request to this region by this caller. `None` if no permit is free and no other request
    /// must give up its own.
    pub(crate) fn acquire(self: &Arc<Self>, region: &Arc<str>, caller: CallerId) -> Option<Permit> {
        let mut held = self.lock();
        if held.requests.len() >= self.most {
            let victim = held.victim(region, &caller)?;
            held.remove(victim);
        }
        let (number, revoked) = held.add(region.clone(), caller);
        Some(Permit { in_flight: self.clone(), number, revoked })
    }

    /// The same for a request that waits until it gets one.
    pub(crate) async fn wait_for_permit(self: &Arc<Self>, region: &Arc<str>, caller: CallerId) -> Permit {
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            // From here on no released permit is missed.
            released.as_mut().enable();
            if let Some(permit) = self.acquire(region, caller) {
                return permit;
            }
            released.await;
        }
    }

    /// A poisoned lock can still be used: no step below panics between two changes that belong together.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, region: Arc<str>, caller: CallerId) -> (u64, oneshot::Receiver<()>) {
        let (revoke, revoked) = oneshot::channel();
        let (region, caller) = (self.regions.add(region), self.callers.add(caller));
        let number = self.begun;
        self.begun += 1;
        self.requests.insert(number, Request { region, caller, _revoke: revoke });
        (number, revoked)
    }

    /// Does nothing if the permit was revoked before.
    fn remove(&mut self, number: u64) {
        if let Some(request) = self.requests.remove(&number) {
            self.regions.subtract(&request.region);
            self.callers.subtract(&request.caller);
        }
    }

    /// The request that must give up its permit to a new request.
    fn victim(&self, region: &Arc<str>, caller: &CallerId) -> Option<u64> {
        let (of_region, of_caller) = (self.regions.of(region), self.callers.of(caller));
        let loads = self.requests.iter().filter_map(|(number, request)| {
            let its_region = request.region.held.load(Ordering::Relaxed);
            let its_caller = request.caller.held.load(Ordering::Relaxed);
            let (its_load, load) = match (request.region.key == *region, request.caller.key == *caller) {
                (true, true) => return None,
                (true, false) => (its_caller, of_caller),
                (false, true) => (its_region, of_region),
                (false, false) => (its_region.max(its_caller), of_region.max(of_caller)),
            };
            (its_load >= FACTOR * (load + 1)).then_some((its_load, *number))
        });
        loads.max().map(|(_, number)| number)
    }
}

impl Permit {
    /// Resolves when the permit is revoked.
    pub(crate) async fn revoked(&mut self) {
        let _ = (&mut self.revoked).await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.lock().remove(self.number);
        self.in_flight.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
