//! From a question in the queue to its answer: whom to ask when, and when to ask again.

use super::{MAX_WAITING, Output, Runner, Waiting};
use crate::batch::answer::{Answer, KeyInfo};
use crate::batch::ask::{Attempt, AttemptKind, combine};
use crate::batch::entry::ReadError;
use crate::batch::known::Fingerprint;
use crate::batch::pace::Pace;
use crate::batch::proofs::verify_token;
use crate::batch::queue::SpreadQueue;
use crate::batch::steps::{Step, Steps};
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// The waits before a throttled question is asked again.
const THROTTLED_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The longest wait before a failed question is asked again.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// The questions for one partition, or for the issuers of tokens.
pub(super) struct Lane {
    name: &'static str,
    ready: SpreadQueue<Job>,
    pace: Pace,
}

/// A question on its way through its steps.
pub(super) struct Job {
    question: Fingerprint,
    /// The account that pays; for a key that does not tell it, the key itself.
    account: u64,
    steps: Steps,
    /// The step that comes next.
    step: usize,
    /// What the steps before came to.
    heard: Vec<Attempt>,
    /// How often STS was asked.
    attempts: u32,
    here: Here,
}

/// What came of asking one partition so far.
#[derive(Default)]
struct Here {
    began: Option<Instant>,
    throttled: u32,
    failed: u32,
}

/// A question that was asked once.
pub(super) struct Asked {
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

    /// Asks what can be asked now. Gives when there may be more, unless an answer or an item comes first.
    pub(super) fn start_ready(&mut self, now: Instant) -> Option<Instant> {
        while let Some(job) = self.delayed.pop_due(now) {
            self.enqueue(job);
        }
        let mut wake = self.delayed.first();
        if now < self.gathered && self.items.is_some() && self.waiting.len() < MAX_WAITING {
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

    /// Asks the first question of a partition whose turn it is.
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
        if let (Some(mut job), Some(asker)) = (job, self.asker.clone()) {
            job.here.began.get_or_insert(now);
            let proofs = self.settings.proofs.clone();
            self.in_flight.spawn(async move {
                let attempt = match (job.steps.get(job.step), proofs) {
                    (Some(Step::Ask(client, call, key)), _) => asker.ask(client, call, key).await,
                    (Some(Step::Verify(token)), Some(proofs)) => {
                        verify_token(&proofs, token, asker.deadline()).await
                    }
                    // Only what has a step is asked, and tokens are read where there is what verifies them.
                    _ => Attempt { answer: combine(Vec::new()), kind: AttemptKind::Final },
                };
                Asked { job, attempt, at: now }
            });
        }
    }

    /// Takes in what came of asking once.
    pub(super) fn heard(&mut self, asked: Asked, output: &mut impl Output) -> io::Result<()> {
        let Asked { mut job, attempt, at } = asked;
        let now = Instant::now();
        if let Some(step) = job.steps.get(job.step) {
            job.attempts += u32::from(matches!(step, Step::Ask(..)));
            let pace = &mut self.lane(step.lane()).pace;
            match attempt.kind {
                AttemptKind::Throttled => pace.throttled(now, at),
                _ => pace.answered(now),
            }
        }
        if let AttemptKind::Unreadable(reason) = attempt.kind {
            return self.refuse_all(job.question, reason, output);
        }
        if let Some(again) = self.again(&mut job, attempt.kind, now) {
            self.delayed.push(again, job);
            return Ok(());
        }
        let goes_on = job.steps.leaves_open(&attempt) && job.steps.get(job.step + 1).is_some();
        if !goes_on || job.steps.all_count() {
            job.heard.push(attempt);
        }
        if goes_on {
            job.step += 1;
            job.here = Here::default();
            self.enqueue(job);
            return Ok(());
        }
        let answer = Answer { attempts: job.attempts, ..combine(job.heard) };
        self.totals.answered += 1;
        self.known.insert(job.question, &answer);
        let Some(Waiting { key, places }) = self.waiting.remove(&job.question) else { return Ok(()) };
        places.iter().try_for_each(|place| self.tell(place, &key, &answer, output))
    }

    /// Takes back that the places of a question could be read.
    fn refuse_all(
        &mut self,
        question: Fingerprint,
        reason: ReadError,
        output: &mut impl Output,
    ) -> io::Result<()> {
        let Some(Waiting { places, .. }) = self.waiting.remove(&question) else { return Ok(()) };
        self.totals.read -= places.len() as u64;
        self.totals.distinct -= 1;
        places.iter().try_for_each(|place| self.refuse(place, reason, output))
    }

    /// When a question is asked again, if it is.
    fn again(&self, job: &mut Job, kind: AttemptKind, now: Instant) -> Option<Instant> {
        let here = &mut job.here;
        let wait = match kind {
            AttemptKind::Throttled => {
                let (shortest, longest) = THROTTLED_BACKOFF;
                here.throttled += 1;
                shortest + with_jitter(shortest, longest, here.throttled - 1)
            }
            AttemptKind::Failed => {
                let retry = &self.asker.as_ref()?.retry;
                here.failed += 1;
                if here.failed >= retry.max_attempts {
                    return None;
                }
                with_jitter(retry.backoff, MAX_BACKOFF, here.failed - 1)
            }
            AttemptKind::Final | AttemptKind::UnknownKey { .. } | AttemptKind::Unreadable(_) => return None,
        };
        (now + wait <= here.began? + self.settings.give_up).then_some(now + wait)
    }
}

impl Job {
    pub(super) fn new(question: Fingerprint, key: &KeyInfo, steps: Steps) -> Self {
        let account = account_of(key, &question);
        Self { question, account, steps, step: 0, heard: Vec::new(), attempts: 0, here: Here::default() }
    }
}

impl Lane {
    /// When the next question may be asked, if there is one.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        if self.ready.is_empty() { None } else { Some(self.pace.next(now)) }
    }
}

/// An account's number; for a key that does not tell it, a number like no account's.
fn account_of(key: &KeyInfo, question: &Fingerprint) -> u64 {
    let own = || u64::from_le_bytes(std::array::from_fn(|at| question[at])) | 1 << 63;
    key.account.as_ref().and_then(|account| account.parse().ok()).unwrap_or_else(own)
}

/// Exponential, with full jitter.
fn with_jitter(shortest: Duration, longest: Duration, times: u32) -> Duration {
    shortest.saturating_mul(1 << times.min(16)).min(longest).mul_f64(fastrand::f64())
}

fn earlier(one: Option<Instant>, other: Instant) -> Instant {
    one.map_or(other, |one| one.min(other))
}
