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
fn a_permit_that_is_dropped_is_released() {
    let mut service = Service::new();
    while service.ask("one", 1) {}
    service.permits.clear();
    assert!(service.in_flight.lock().requests.is_empty());
    assert!(service.in_flight.lock().regions.0.is_empty() && service.in_flight.lock().callers.0.is_empty());
    assert!(service.ask("one", 1));
}

#[tokio::test]
async fn a_waiting_request_gets_the_permit_that_is_released() {
    let mut service = Service::new();
    while service.ask("one", 1) {}
    let (in_flight, region, caller) =
        (service.in_flight.clone(), "one".into(), CallerId::V4(Ipv4Addr::from_bits(1)));
    let waiting = in_flight.wait_for_permit(&region, caller);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    service.permits.truncate(1);
    drop(waiting.await);
}

#[test]
fn regions_that_do_not_answer_leave_room_for_one_that_does() {
    // With one caller for all of them, and with a different one each time.
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
fn a_caller_that_sends_requests_without_end_leaves_room_for_others() {
    // Its requests are for one region, for all regions in turn, or for another region than those of the others.
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
    let gone: Vec<_> = CALLERS.filter(|n| !service.held().iter().any(|(_, caller)| caller == n)).collect();
    assert_eq!(gone, [39]);
}

#[tokio::test]
async fn a_request_is_notified_when_its_permit_is_revoked() {
    let in_flight = InFlight::new(2);
    let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
    let caller = CallerId::V4(Ipv4Addr::LOCALHOST);
    let _first = in_flight.acquire(&one, caller).unwrap();
    let mut second = in_flight.acquire(&one, caller).unwrap();
    let _newcomer = in_flight.acquire(&other, caller).unwrap();
    second.revoked().await;
    assert!(in_flight.acquire(&other, caller).is_none(), "each holds one now");
}
