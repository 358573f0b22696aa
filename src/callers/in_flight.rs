//! Limits how many requests wait for STS at once, and shares the permits among regions and among callers.
//!
//! While permits are free, every request gets one: a single region or a single caller may hold all of them. When none is
//! free, a new request can take the permit of another one, which is then refused instead. So neither a region that does not
//! answer nor a caller that sends requests without end keeps others out, even if it holds all permits by then. Network
//! switches share their buffers by the same rule ("longest queue drop").
//!
//! The request that loses its permit is found by comparing loads. The load of a request is the number of permits that its
//! region holds or that its caller holds, whichever is greater. What both requests have in common does not count: two requests
//! to one region are compared by their callers, and two requests of one caller by their regions. The request with the
//! greatest load loses its permit, the newest one first, if its load is at least [`FACTOR`] times that of the new request.
//! With a smaller factor, two equal callers would take permits from each other all the time and waste the calls made so far.

use super::CallerId;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A request loses its permit only if its load is at least this many times the load of the new request, the new one included.
const FACTOR: usize = 2;

/// The permits for requests in flight.
pub(crate) struct InFlight {
    most: usize,
    held: Mutex<Held>,
}

/// Who holds permits.
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

/// The permit of one request. It is given back when this is dropped.
pub(crate) struct Permit {
    in_flight: Arc<InFlight>,
    number: u64,
    revoked: oneshot::Receiver<()>,
}

impl InFlight {
    /// Makes `most` permits.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default() })
    }

    /// A permit for a request to this region by this caller. `None` when no permit is free and no other request has to give
    /// up its own.
    pub(crate) fn acquire(self: &Arc<Self>, region: &Arc<str>, caller: CallerId) -> Option<Permit> {
        let mut held = self.lock();
        if held.requests.len() >= self.most {
            let victim = held.victim(region, &caller)?;
            held.remove(victim);
        }
        let (number, revoked) = held.add(region.clone(), caller);
        Some(Permit { in_flight: self.clone(), number, revoked })
    }

    /// A poisoned lock is no reason to stop: no step below panics between two changes that belong together.
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

    /// The request that has to give up its permit to a new request.
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const MOST: usize = 64;
    /// Callers that each hold one permit.
    const CALLERS: std::ops::Range<u32> = 0..64;

    /// A service whose STS never answers.
    struct Service {
        in_flight: Arc<InFlight>,
        permits: Vec<Option<(Arc<str>, u32, Permit)>>,
    }

    impl Service {
        fn new() -> Self {
            Self { in_flight: InFlight::new(MOST), permits: Vec::new() }
        }

        /// Whether a request gets a permit.
        fn ask(&mut self, region: &str, caller: u32) -> bool {
            let region: Arc<str> = region.into();
            let permit = self.in_flight.acquire(&region, CallerId::V4(Ipv4Addr::from_bits(caller)));
            let let_in = permit.is_some();
            self.permits.push(permit.map(|permit| (region, caller, permit)));
            let_in
        }

        /// The requests that still hold a permit. Those that lost it are dropped, as a handler does.
        fn held(&mut self) -> Vec<(String, u32)> {
            let revoked =
                |permit: &mut Permit| permit.revoked.try_recv() != Err(oneshot::error::TryRecvError::Empty);
            self.permits.retain_mut(|held| held.as_mut().is_some_and(|(.., permit)| !revoked(permit)));
            let held = self.permits.iter().flatten();
            held.map(|(region, caller, _)| (region.to_string(), *caller)).collect()
        }

        fn held_by(&mut self, wanted: impl Fn(&str, u32) -> bool) -> usize {
            self.held().iter().filter(|(region, caller)| wanted(region, *caller)).count()
        }
    }

    #[test]
    fn one_region_or_one_caller_alone_may_hold_all_permits() {
        for (region, caller) in [(None, Some(1)), (Some("one"), None), (Some("one"), Some(1))] {
            let mut service = Service::new();
            let mut ask = |n: u32| {
                let region = region.map_or_else(|| format!("region-{n}"), str::to_owned);
                service.ask(&region, caller.unwrap_or(n))
            };
            let let_in = (0..2 * CALLERS.end).filter(|n| ask(*n)).count();
            assert_eq!((let_in, service.held().len()), (MOST, MOST));
        }
    }

    #[test]
    fn a_permit_that_is_dropped_is_given_back() {
        let mut service = Service::new();
        while service.ask("one", 1) {}
        service.permits.clear();
        assert!(service.in_flight.lock().requests.is_empty());
        assert!(
            service.in_flight.lock().regions.0.is_empty() && service.in_flight.lock().callers.0.is_empty()
        );
        assert!(service.ask("one", 1));
    }

    #[test]
    fn regions_that_do_not_answer_leave_room_for_one_that_does() {
        // Whoever asks for them: one caller, or a different one each time.
        for callers in [1, 10_000] {
            for dead in [1, 2, 7, 33] {
                let mut service = Service::new();
                for n in 0..10_000_u32 {
                    service.ask(&format!("dead-{}", n % dead), n % callers);
                }
                assert_eq!(service.held().len(), MOST);
                assert!(service.ask("well", 0), "{dead} regions, {callers} callers");
                assert_eq!((service.held().len(), service.held_by(|region, _| region == "well")), (MOST, 1));
            }
        }
    }

    #[test]
    fn a_region_may_have_a_fair_share_and_no_more() {
        let mut service = Service::new();
        for n in 0..10_000 {
            service.ask("dead", n);
        }
        let let_in = (20_000..21_000).filter(|n| service.ask("well", *n)).count();
        assert_eq!(let_in, MOST / 3, "the other one holds twice as many then");
        for n in 0..10_000 {
            service.ask("dead", n);
        }
        assert_eq!(service.held_by(|region, _| region == "well"), MOST / 3, "none are taken from it");
    }

    #[test]
    fn a_caller_that_asks_without_end_leaves_room_for_others() {
        // Of one region, of all of them in turn, or of another region than the others.
        for regions in [&["one"][..], &["one", "two", "three", "four"], &["two"]] {
            let mut service = Service::new();
            let greedy = |service: &mut Service| {
                for region in regions.iter().cycle().take(1_000) {
                    service.ask(region, 1);
                }
            };
            greedy(&mut service);
            for caller in 2..12 {
                assert!(service.ask("one", caller), "{caller}, {regions:?}");
                greedy(&mut service);
            }
            let others = service.held_by(|_, caller| caller != 1);
            assert_eq!((service.held().len(), others), (MOST, 10), "{regions:?}");
        }
    }

    #[test]
    fn the_newest_request_of_the_region_that_holds_most_loses_its_permit() {
        let mut service = Service::new();
        for n in CALLERS {
            service.ask(if n < 40 { "most" } else { "less" }, n);
        }
        service.ask("well", 1_000);
        let gone: Vec<_> =
            CALLERS.filter(|n| !service.held().iter().any(|(_, caller)| caller == n)).collect();
        assert_eq!(gone, [39]);
    }

    #[tokio::test]
    async fn a_request_is_told_when_its_permit_is_revoked() {
        let in_flight = InFlight::new(2);
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let caller = CallerId::V4(Ipv4Addr::LOCALHOST);
        let _first = in_flight.acquire(&one, caller).unwrap();
        let mut second = in_flight.acquire(&one, caller).unwrap();
        let _newcomer = in_flight.acquire(&other, caller).unwrap();
        second.revoked().await;
        assert!(in_flight.acquire(&other, caller).is_none(), "each holds one now");
    }
}
