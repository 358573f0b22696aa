//! How fast STS is asked: as fast as its answers come until it throttles, then by additive increase and multiplicative decrease.
//!
//! STS counts the requests of some time that it does not tell. So one decrease is given a second to show its effect before the
//! next, and the rate that is decreased is never more than what STS did answer in the last second.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// What is left of the rate when STS throttles.
const DECREASE: f64 = 0.85;

/// The increase a second, as a part of the best rate.
const INCREASE: f64 = 0.03;

/// What is left of the best rate with each decrease: better times may come back, and may not.
const FORGET: f64 = 0.98;

/// The time in which answers are counted, and in which there is one decrease.
const WINDOW: Duration = Duration::from_secs(1);

/// The least rate in questions a second: some of what throttles does so whatever the rate is.
const LEAST_RATE: f64 = 5.0;

/// The least rate to begin with, when little is known.
const FIRST_RATE: f64 = 20.0;

/// The least increase a second.
const LEAST_INCREASE: f64 = 4.0;

/// A timer wakes up late; so much of the time that it lost is made up for.
const SLACK: Duration = Duration::from_millis(10);

/// Questions a second, evenly spaced.
#[derive(Debug)]
pub(super) struct Spacing {
    interval: Duration,
    /// When the next may be asked.
    next: Option<Instant>,
}

impl Spacing {
    pub(super) fn per_second(rate: f64) -> Self {
        Self { interval: Duration::from_secs_f64(1.0 / rate), next: None }
    }

    fn set_rate(&mut self, rate: f64) {
        self.interval = Duration::from_secs_f64(1.0 / rate);
    }

    /// When the next may be asked.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.next.unwrap_or(now)
    }

    /// One is asked now.
    pub(super) fn take(&mut self, now: Instant) {
        let from = self.next.map_or(now, |next| next.max(now.checked_sub(SLACK).unwrap_or(now)));
        self.next = Some(from + self.interval);
    }
}

/// The controller of one partition.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// None as long as STS has not throttled.
    limit: Option<Limit>,
    /// When answers came in the last second, those left out that were throttled.
    answered: VecDeque<Instant>,
}

#[derive(Debug)]
struct Limit {
    rate: f64,
    /// The best rate at which STS throttled, of late.
    best: f64,
    spacing: Spacing,
    decreased: Instant,
    increased: Instant,
    /// Whether a question had to wait for its turn since the last increase: a rate that nobody uses up tells nothing.
    used_up: bool,
}

impl Pace {
    /// When the next question may be asked.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        let Some(limit) = &mut self.limit else { return now };
        let next = limit.spacing.next(now);
        limit.used_up |= next > now;
        next
    }

    /// A question is asked now.
    pub(super) fn take(&mut self, now: Instant) {
        if let Some(limit) = &mut self.limit {
            limit.spacing.take(now);
        }
    }

    /// An answer came that is none of throttling.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered.push_back(now);
        self.forget(now);
        if let Some(limit) = &mut self.limit {
            limit.increase(now);
        }
    }

    /// A question that was asked at `asked` was throttled.
    pub(super) fn throttled(&mut self, now: Instant, asked: Instant) {
        self.forget(now);
        #[expect(clippy::cast_precision_loss, reason = "answers of one second")]
        let measured = self.answered.len() as f64;
        match &mut self.limit {
            None => self.limit = Some(Limit::new(measured, now)),
            Some(limit) if asked > limit.decreased && now - limit.decreased >= WINDOW => {
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

    /// An STS that takes so many questions in each second, as its client with this pace meets it. Gives how many were answered
    /// and how many throttled in each second.
    fn simulate(seconds: u64, capacity: impl Fn(u64) -> u32, round_trip: Duration) -> Vec<(u32, u32)> {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut told: Vec<(u32, u32)> = Vec::new();
        let mut under_way: VecDeque<(Instant, Instant, bool)> = VecDeque::new();
        let tick = Duration::from_micros(250);
        let mut now = start;
        while now < start + Duration::from_secs(seconds) {
            while let Some((_, asked, good)) = under_way.pop_front_if(|(ends, _, _)| *ends <= now) {
                if good { pace.answered(now) } else { pace.throttled(now, asked) }
            }
            if under_way.len() < 16 && pace.next(now) <= now {
                pace.take(now);
                let second = (now - start).as_secs();
                told.resize(usize::try_from(second).unwrap() + 1, (0, 0));
                let (answered, throttled) = told.last_mut().unwrap();
                let good = *answered < capacity(second);
                *(if good { answered } else { throttled }) += 1;
                under_way.push_back((now + round_trip, now, good));
            }
            now += tick;
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn most_of_what_sts_takes_is_used_and_little_is_throttled() {
        let told = simulate(40, |_| 500, Duration::from_millis(2));
        let answered: u32 = told.iter().map(|(answered, _)| answered).sum();
        let throttled: u32 = told[1..].iter().map(|(_, throttled)| throttled).sum();
        // 40 seconds of 500; the contract's bound is 1 / 1.3 of it.
        assert!(answered > 40 * 500 * 88 / 100, "{answered}");
        assert!(throttled < answered / 50, "{throttled} of {answered}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_slows_down_with_sts_and_speeds_up_again() {
        let told = simulate(
            60,
            |second| if (10..20).contains(&second) { 50 } else { 500 },
            Duration::from_millis(20),
        );
        let throttled: u32 = told[14..20].iter().map(|(_, throttled)| throttled).sum();
        assert!(throttled < 120, "{told:?}");
        assert!(told[59].0 > 300, "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_of_nothing_but_throttling_is_got_over() {
        let told = simulate(
            60,
            |second| if (10..15).contains(&second) { 0 } else { 500 },
            Duration::from_millis(20),
        );
        assert!(told[12..15].iter().all(|(_, throttled)| *throttled < 30), "{told:?}");
        assert!(told[59].0 > 300, "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_sts_that_does_not_throttle_is_not_held_back() {
        let told = simulate(3, |_| u32::MAX, Duration::from_millis(16));
        // 16 at a time, 16 ms each.
        assert!(told.iter().all(|(answered, throttled)| *answered > 900 && *throttled == 0), "{told:?}");
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
