use super::*;
use governor::clock::FakeRelativeClock;
use std::net::Ipv4Addr;

/// More callers than the table and the buckets have room for.
const FLOOD: u32 = 300_000;

/// Five at once, and one more every twelve seconds.
fn limit() -> (CallerLimit<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let five = NonZeroU32::new(5).unwrap();
    let rate = Rate { count: five, period: Duration::from_mins(1) };
    let settings = PerCaller { rate, burst: five };
    (CallerLimit::with_clock(&settings, clock.clone()), clock)
}

fn caller(number: u32) -> CallerId {
    CallerId::V4(Ipv4Addr::from_bits(number))
}

/// How many of these requests of a caller are allowed.
fn allowed(limit: &CallerLimit<FakeRelativeClock>, caller: CallerId, requests: u32) -> u32 {
    (0..requests).map(|_| u32::from(limit.count_here(caller).is_ok())).sum()
}

#[test]
fn a_caller_may_send_a_burst_and_then_as_many_as_the_rate_allows() {
    let (limit, clock) = limit();
    assert_eq!(allowed(&limit, caller(1), 9), 5);
    assert_eq!(limit.count_here(caller(1)), Err(Duration::from_secs(12)));
    clock.advance(Duration::from_millis(11_001));
    let wait = limit.count_here(caller(1)).unwrap_err();
    assert_eq!((wait, whole_seconds(wait)), (Duration::from_millis(999), 1), "rounded up");
    clock.advance(Duration::from_secs(1));
    assert_eq!(allowed(&limit, caller(1), 9), 1);
    assert_eq!(allowed(&limit, caller(2), 9), 5, "another caller has a limit of its own");
    clock.advance(Duration::from_hours(1));
    assert_eq!(allowed(&limit, caller(1), 9), 5, "replenished, it has no more than at first");
}

#[test]
fn the_table_does_not_grow_however_many_callers_come() {
    let (limit, clock) = limit();
    for number in 0..2 * FLOOD {
        let _ = limit.count_here(caller(number));
        assert!(limit.limiter.len() <= CALLERS + 1_024);
        if number % 100_000 == 0 {
            clock.advance(Duration::from_secs(1));
        }
    }
}

#[test]
fn a_flood_does_not_remove_a_caller_without_requests_left_and_gets_little() {
    let (limit, _) = limit();
    assert_eq!(allowed(&limit, caller(u32::MAX), 9), 5);
    let flood: u32 = (0..FLOOD).map(|number| allowed(&limit, caller(number), 1)).sum();
    let buckets = 5 * 1_024;
    assert!(flood <= 100_000 + buckets, "{flood}");
    assert_eq!(allowed(&limit, caller(u32::MAX), 9), 0);
    let again: u32 = (0..FLOOD).map(|number| allowed(&limit, caller(number), 1)).sum();
    assert!(again <= 100_000, "{again}");
}

#[test]
fn replenished_callers_make_room_for_new_ones() {
    let (limit, clock) = limit();
    for number in 0..FLOOD {
        let _ = limit.count_here(caller(number));
    }
    clock.advance(Duration::from_mins(2));
    assert_eq!(allowed(&limit, caller(2 * FLOOD), 9), 5);
    assert_eq!(limit.limiter.len(), 1);
}

#[test]
fn the_highest_and_the_lowest_rate_are_computed_correctly() {
    let clock = FakeRelativeClock::default();
    let (one, million) = (NonZeroU32::MIN, NonZeroU32::new(1_000_000).unwrap());
    for (count, period, burst, tried) in [
        (one, Duration::from_hours(1), one, 1),
        (one, Duration::from_hours(1), million, 100),
        (million, Duration::from_secs(1), one, 1),
        (million, Duration::from_secs(1), million, 100),
    ] {
        let settings = PerCaller { rate: Rate { count, period }, burst };
        let limit = CallerLimit::with_clock(&settings, clock.clone());
        assert_eq!(allowed(&limit, caller(1), tried), tried);
        let wait = (period / count.get()).as_secs().max(1);
        let wait_seconds = limit.count_here(caller(1)).err().map(|wait| u64::from(whole_seconds(wait)));
        assert_eq!(wait_seconds, (burst == one).then_some(wait));
        clock.advance(Duration::from_hours(1));
    }
}
