//! Takes a request from the queue to its answer: when STS is called, which STS, and when a call is repeated.

use super::{Output, Runner};
use crate::batch::answer::{Answer, KeyInfo};
use crate::batch::attempt::{Attempt, AttemptKind, combine};
use crate::batch::entry::ReadError;
use crate::batch::known::Fingerprint;
use crate::batch::pace::Pace;
use crate::batch::proofs::verify_token;
use crate::batch::queue::SpreadQueue;
use crate::batch::steps::{Step, Steps};
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest and longest wait before a throttled call is repeated.
const THROTTLED_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The longest wait before a failed call is repeated.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// The requests for one partition, or for the issuers of tokens.
pub(super) struct Lane {
    name: &'static str,
    ready: SpreadQueue<Job>,
    pace: Pace,
}

/// A request on its way through its steps.
pub(super) struct Job {
    fingerprint: Fingerprint,
    /// The account that the calls count for. For a key that does not contain it, a number for the key itself.
    account: u64,
    steps: Steps,
    /// The number of the next step.
    step: usize,
    /// The results of the steps so far.
    results: Vec<Attempt>,
    /// The number of calls to STS.
    attempts: u32,
    partition: PartitionProgress,
}

/// The progress in the current partition.
#[derive(Default)]
struct PartitionProgress {
    began: Option<Instant>,
    throttled: u32,
    failed: u32,
}

/// The result of one call.
pub(super) struct FinishedCall {
    job: Job,
    attempt: Attempt,
    at: Instant,
}

impl Runner {
    pub(super) fn enqueue(&mut self, job: Job) {
        let Some(name) = job.steps.get(job.step).map(|step| step.lane()) else { return };
        let lane = self.lane(name);
        lane.ready.push(job.account, job);
    }

    fn lane(&mut self, name: &'static str) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.name == name);
        let at = known.unwrap_or_else(|| {
            self.lanes.push(Lane { name, ready: SpreadQueue::default(), pace: Pace::default() });
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    /// Starts all calls that are possible now. Returns when the next may be possible, unless an answer or an
    /// item comes first.
    pub(super) fn start_ready(&mut self, now: Instant) -> Option<Instant> {
        while let Some(job) = self.delayed.pop_due(now) {
            self.enqueue(job);
        }
        let mut wake = self.delayed.first();
        if now < self.gathered && self.reads_ahead() {
            return Some(earlier(wake, self.gathered));
        }
        while self.in_flight.len() < self.settings.concurrency.max(1) {
            let Some(at) = self.lanes.iter_mut().filter_map(|lane| lane.next(now)).min() else { break };
            let at = self.rate.as_ref().map_or(at, |rate| at.max(rate.next(now)));
            if at > now {
                wake = Some(earlier(wake, at));
                break;
            }
            self.start_one(now);
        }
        wake
    }

    /// Starts the first call of a partition whose turn it is.
    fn start_one(&mut self, now: Instant) {
        let Some(at) = self.lanes.iter_mut().position(|lane| lane.next(now).is_some_and(|at| at <= now))
        else {
            return;
        };
        // The partitions take turns.
        let mut lane = self.lanes.remove(at);
        let job = lane.ready.pop();
        lane.pace.take(now);
        self.lanes.push(lane);
        if let Some(rate) = &mut self.rate {
            rate.take(now);
        }
        if let (Some(mut job), Some(sts)) = (job, self.sts.clone()) {
            job.partition.began.get_or_insert(now);
            let proofs = self.settings.proofs.clone();
            self.in_flight.spawn(async move {
                let attempt = match (job.steps.get(job.step), proofs) {
                    (Some(Step::Call(client, call, key)), _) => sts.attempt(client, call, key).await,
                    (Some(Step::Verify(token)), Some(proofs)) => {
                        verify_token(&proofs, token, sts.deadline()).await
                    }
                    // This cannot happen: a request without steps is not queued, and tokens are only queued if
                    // there is a verifier.
                    _ => Attempt { answer: combine(Vec::new()), kind: AttemptKind::Final },
                };
                FinishedCall { job, attempt, at: now }
            });
        }
    }

    /// Processes the result of one call.
    pub(super) fn finish_call(&mut self, finished: FinishedCall, output: &mut impl Output) -> io::Result<()> {
        let FinishedCall { mut job, attempt, at } = finished;
        let now = Instant::now();
        if let Some(step) = job.steps.get(job.step) {
            job.attempts += u32::from(matches!(step, Step::Call(..)));
            let pace = &mut self.lane(step.lane()).pace;
            match attempt.kind {
                AttemptKind::Throttled => pace.throttled(now, at),
                _ => pace.answered(now),
            }
        }
        if let AttemptKind::Unreadable(reason) = attempt.kind {
            return self.unread_all(job.fingerprint, reason, output);
        }
        if let Some(retry_at) = self.retry_at(&mut job, attempt.kind, now) {
            self.delayed.push(retry_at, job);
            return Ok(());
        }
        let continues = job.steps.needs_next(&attempt) && job.steps.get(job.step + 1).is_some();
        if !continues || job.steps.all_count() {
            job.results.push(attempt);
        }
        if continues {
            job.step += 1;
            job.partition = PartitionProgress::default();
            self.enqueue(job);
            return Ok(());
        }
        let answer = Answer { attempts: job.attempts, ..combine(job.results) };
        self.totals.answered += 1;
        self.known.insert(job.fingerprint, &answer);
        let Some((key, locations)) = self.waiting.remove(&job.fingerprint) else { return Ok(()) };
        locations.iter().try_for_each(|location| self.report(location, &key, &answer, output))
    }

    /// Corrects the count of the entries of a request that turned out to be unreadable.
    fn unread_all(
        &mut self,
        fingerprint: Fingerprint,
        reason: ReadError,
        output: &mut impl Output,
    ) -> io::Result<()> {
        let Some((_, locations)) = self.waiting.remove(&fingerprint) else { return Ok(()) };
        self.totals.read -= locations.len() as u64;
        self.totals.distinct -= 1;
        locations.iter().try_for_each(|location| self.unreadable(location, reason, output))
    }

    /// When a call is repeated, if it is.
    fn retry_at(&self, job: &mut Job, kind: AttemptKind, now: Instant) -> Option<Instant> {
        let partition = &mut job.partition;
        let wait = match kind {
            AttemptKind::Throttled => {
                let (shortest, longest) = THROTTLED_BACKOFF;
                partition.throttled += 1;
                shortest + with_jitter(shortest, longest, partition.throttled - 1)
            }
            AttemptKind::Failed => {
                let retry = &self.sts.as_ref()?.retry;
                partition.failed += 1;
                if partition.failed >= retry.max_attempts {
                    return None;
                }
                with_jitter(retry.backoff, MAX_BACKOFF, partition.failed - 1)
            }
            AttemptKind::Final | AttemptKind::UnknownKey { .. } | AttemptKind::Unreadable(_) => return None,
        };
        (now + wait <= partition.began? + self.settings.give_up).then_some(now + wait)
    }
}

impl Job {
    pub(super) fn new(fingerprint: Fingerprint, key: &KeyInfo, steps: Steps) -> Self {
        let account = account_number(key, &fingerprint);
        Self {
            fingerprint,
            account,
            steps,
            step: 0,
            results: Vec::new(),
            attempts: 0,
            partition: PartitionProgress::default(),
        }
    }
}

impl Lane {
    /// The time of the next call, if a request is waiting.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        if self.ready.is_empty() { None } else { Some(self.pace.next(now)) }
    }
}

/// The number of an account. For a key that does not contain it, a number that no account has.
fn account_number(key: &KeyInfo, fingerprint: &Fingerprint) -> u64 {
    let own = || u64::from_le_bytes(std::array::from_fn(|at| fingerprint[at])) | 1 << 63;
    key.account.as_ref().and_then(|account| account.parse().ok()).unwrap_or_else(own)
}

/// Exponential, with full jitter.
fn with_jitter(shortest: Duration, longest: Duration, times: u32) -> Duration {
    shortest.saturating_mul(1 << times.min(16)).min(longest).mul_f64(fastrand::f64())
}

fn earlier(one: Option<Instant>, other: Instant) -> Instant {
    one.map_or(other, |one| one.min(other))
}
