//! How fast STS is called: as fast as its answers come until it throttles, then by additive increase and
//! multiplicative decrease.
//!
//! STS does not say over which time it counts requests. So each decrease gets one second to take effect before
//! the next, and the decreased rate is at most the number of calls that STS answered in the last second.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// The factor for the rate when STS throttles.
const DECREASE: f64 = 0.85;

/// The increase per second, as a part of the best rate.
const INCREASE: f64 = 0.03;

/// The factor for the best rate with each decrease, because STS may or may not allow that rate again.
const FORGET: f64 = 0.98;

/// The time over which answers are counted, with at most one decrease.
const WINDOW: Duration = Duration::from_secs(1);

/// The minimum rate in calls per second: some causes of throttling do not depend on the rate.
const LEAST_RATE: f64 = 5.0;

/// The minimum first rate, used when little is known.
const FIRST_RATE: f64 = 20.0;

/// The minimum increase per second.
const LEAST_INCREASE: f64 = 4.0;

/// A timer fires late. Up to this much lost time is made up for.
const SLACK: Duration = Duration::from_millis(10);

/// Spaces calls evenly.
#[derive(Debug)]
pub(super) struct Spacing {
    interval: Duration,
    /// The time of the next call.
    next: Option<Instant>,
}

impl Spacing {
    pub(super) fn per_second(rate: f64) -> Self {
        Self { interval: Duration::from_secs_f64(1.0 / rate), next: None }
    }

    fn set_rate(&mut self, rate: f64) {
        self.interval = Duration::from_secs_f64(1.0 / rate);
    }

    /// The time of the next call.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.next.unwrap_or(now)
    }

    /// Records a call.
    pub(super) fn take(&mut self, now: Instant) {
        let from = self.next.map_or(now, |next| next.max(now.checked_sub(SLACK).unwrap_or(now)));
        self.next = Some(from + self.interval);
    }
}

/// The controller of one partition.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// `None` as long as STS has not throttled.
    limit: Option<Limit>,
    /// The times of the answers in the last second, without throttled ones.
    answered: VecDeque<Instant>,
}

#[derive(Debug)]
struct Limit {
    rate: f64,
    /// The best recent rate at which STS throttled.
    best: f64,
    spacing: Spacing,
    decreased: Instant,
    increased: Instant,
    /// Whether a call had to wait since the last increase: if not, the rate was not used up, and must not grow.
    used_up: bool,
}

impl Pace {
    /// The time of the next call.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        let Some(limit) = &mut self.limit else { return now };
        let next = limit.spacing.next(now);
        limit.used_up |= next > now;
        next
    }

    /// Records a call.
    pub(super) fn take(&mut self, now: Instant) {
        if let Some(limit) = &mut self.limit {
            limit.spacing.take(now);
        }
    }

    /// Records an answer that is not throttled.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered.push_back(now);
        self.forget(now);
        if let Some(limit) = &mut self.limit {
            limit.increase(now);
        }
    }

    /// Records that a call made at `called` was throttled.
    pub(super) fn throttled(&mut self, now: Instant, called: Instant) {
        self.forget(now);
        #[expect(clippy::cast_precision_loss, reason = "answers of one second")]
        let measured = self.answered.len() as f64;
        match &mut self.limit {
            None => self.limit = Some(Limit::new(measured, now)),
            Some(limit) if called > limit.decreased && now - limit.decreased >= WINDOW => {
                limit.decrease(measured, now);
            }
            Some(_) => {}
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.answered.front().is_some_and(|at| now - *at > WINDOW) {
            self.answered.pop_front();
        }
    }
}

impl Limit {
    fn new(measured: f64, now: Instant) -> Self {
        let best = measured.max(FIRST_RATE / DECREASE);
        let rate = best * DECREASE;
        Self {
            rate,
            best,
            spacing: Spacing { next: Some(now), ..Spacing::per_second(rate) },
            decreased: now,
            increased: now,
            used_up: false,
        }
    }

    fn decrease(&mut self, measured: f64, now: Instant) {
        let rate = self.rate.min(measured);
        self.best = rate.max(self.best * FORGET);
        self.rate = (rate * DECREASE).max(LEAST_RATE);
        self.spacing.set_rate(self.rate);
        (self.decreased, self.increased, self.used_up) = (now, now, false);
    }

    fn increase(&mut self, now: Instant) {
        let passed = now - self.increased;
        if passed < WINDOW / 10 {
            return;
        }
        if self.used_up {
            self.rate += (self.best * INCREASE).max(LEAST_INCREASE) * passed.min(WINDOW).as_secs_f64();
            self.spacing.set_rate(self.rate);
        }
        (self.increased, self.used_up) = (now, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates an STS that accepts a number of calls in each second, used with this pace. Returns the numbers
    /// of answered and of throttled calls in each second.
    fn simulate(seconds: u64, capacity: impl Fn(u64) -> u32, round_trip: Duration) -> Vec<(u32, u32)> {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut rates: Vec<(u32, u32)> = Vec::new();
        let mut in_flight: VecDeque<(Instant, Instant, bool)> = VecDeque::new();
        let tick = Duration::from_micros(250);
        let mut now = start;
        while now < start + Duration::from_secs(seconds) {
            while let Some((_, called, good)) = in_flight.pop_front_if(|(ends, _, _)| *ends <= now) {
                if good { pace.answered(now) } else { pace.throttled(now, called) }
            }
            if in_flight.len() < 16 && pace.next(now) <= now {
                pace.take(now);
                let second = (now - start).as_secs();
                rates.resize(usize::try_from(second).unwrap() + 1, (0, 0));
                let (answered, throttled) = rates.last_mut().unwrap();
                let good = *answered < capacity(second);
                *(if good { answered } else { throttled }) += 1;
                in_flight.push_back((now + round_trip, now, good));
            }
            now += tick;
        }
        rates
    }

    #[tokio::test(start_paused = true)]
    async fn most_of_the_capacity_of_sts_is_used_and_little_is_throttled() {
        let rates = simulate(40, |_| 500, Duration::from_millis(2));
        let answered: u32 = rates.iter().map(|(answered, _)| answered).sum();
        let throttled: u32 = rates[1..].iter().map(|(_, throttled)| throttled).sum();
        // 40 seconds at 500 calls per second.
        assert!(answered > 40 * 500 * 88 / 100, "{answered}");
        assert!(throttled < answered / 50, "{throttled} of {answered}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_slows_down_with_sts_and_speeds_up_again() {
        let rates = simulate(
            60,
            |second| if (10..20).contains(&second) { 50 } else { 500 },
            Duration::from_millis(20),
        );
        let throttled: u32 = rates[14..20].iter().map(|(_, throttled)| throttled).sum();
        assert!(throttled < 120, "{rates:?}");
        assert!(rates[59].0 > 300, "{rates:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_recovers_after_a_time_of_only_throttling() {
        let rates = simulate(
            60,
            |second| if (10..15).contains(&second) { 0 } else { 500 },
            Duration::from_millis(20),
        );
        assert!(rates[12..15].iter().all(|(_, throttled)| *throttled < 30), "{rates:?}");
        assert!(rates[59].0 > 300, "{rates:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_sts_that_does_not_throttle_is_not_slowed_down() {
        let rates = simulate(3, |_| u32::MAX, Duration::from_millis(16));
        // 16 at a time, 16 ms each.
        assert!(rates.iter().all(|(answered, throttled)| *answered > 900 && *throttled == 0), "{rates:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_rate_is_kept() {
        let mut spacing = Spacing::per_second(50.0);
        let start = Instant::now();
        let mut taken = 0;
        for tick in 0..10_000 {
            let now = start + Duration::from_millis(tick);
            if spacing.next(now) <= now {
                spacing.take(now);
                taken += 1;
            }
        }
        assert!((499..=501).contains(&taken), "{taken}");
    }
}
