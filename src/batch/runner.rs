//! Asks about each distinct question of a list once, and tells all its places the answer. It knows neither files nor terminals:
//! items come in by a channel, and answers go out to an [`Output`].
//!
//! What is held is bounded: the questions that wait and are asked (with their secrets), some bytes a distinct question, and the
//! places of those that have no answer yet.

use super::answer::{Answer, KeyInfo, Verdict};
use super::ask::{Asker, Attempt, AttemptKind, check_proof, combine, partition};
use super::entry::{Item, Place, Question, ReadError};
use super::known::{Fingerprint, KnownAnswers};
use super::pace::{Pace, Spacing};
use super::queue::{Delayed, SpreadQueue};
use crate::credentials::{Credentials, VerifyRequest};
use crate::identity::Canaries;
use crate::sts::StsClient;
use crate::sts::coalescing::QuestionIds;
use secrecy::ExposeSecret as _;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// So many distinct questions are read ahead. They are what accounts are spread over.
const MAX_WAITING: usize = 1_024;

/// So many items are taken from the channel at once.
const MAX_ITEMS: usize = 256;

/// How long the first questions may be gathered before the first is asked.
const GATHERING: Duration = Duration::from_millis(100);

/// The waits before a throttled question is asked again.
const THROTTLED_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The longest wait before a failed question is asked again.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// How a list is worked off.
#[derive(Debug, Clone)]
pub struct BatchSettings {
    /// How many questions are at STS at once.
    pub concurrency: usize,
    /// How many questions a second STS is asked at most.
    pub rate: Option<f64>,
    /// After so long a question that is throttled is given up.
    pub give_up: Duration,
    /// Whether the keys of decoys are asked about.
    pub ask_canaries: bool,
    /// The accounts that hold decoys.
    pub canaries: Canaries,
    /// The names for which proofs may be made out.
    pub audiences: Vec<String>,
}

/// What has been done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries that were read.
    pub read: u64,
    /// Distinct questions among them.
    pub distinct: u64,
    /// Distinct questions that have an answer.
    pub answered: u64,
    /// Entries by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; 4],
    /// What could not be read.
    pub unreadable: u64,
    /// Findings about other things than AWS keys.
    pub passed_over: u64,
    /// Entries that [`Output::is_done`].
    pub done_before: u64,
    /// Those of them that are valid.
    pub valid_before: u64,
}

impl Totals {
    /// How many entries have a verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }
}

/// Where answers go.
pub trait Output {
    /// The verdict of an entry that is passed over, because its answer is known from before.
    fn is_done(&self, _: &Place, _: &KeyInfo) -> Option<Verdict> {
        None
    }

    /// The answer for an entry.
    ///
    /// # Errors
    ///
    /// What ends the list.
    fn answer(&mut self, place: &Place, key: &KeyInfo, answer: &Answer) -> io::Result<()>;

    /// Something that cannot be read.
    ///
    /// # Errors
    ///
    /// What ends the list.
    fn unreadable(&mut self, place: &Place, reason: ReadError) -> io::Result<()>;

    /// All that is known now has been told.
    ///
    /// # Errors
    ///
    /// What ends the list.
    fn pause(&mut self, totals: &Totals) -> io::Result<()>;
}

/// Why a list could not be worked off.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The output takes no more.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// The system has no randomness.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// Works a list off. Without an asker nothing is sent. It ends when the channel is closed and all is answered, or at `stop`.
///
/// # Errors
///
/// [`BatchError`].
pub async fn run(
    items: mpsc::Receiver<Item>,
    asker: Option<Arc<Asker>>,
    settings: BatchSettings,
    output: &mut impl Output,
    stop: impl Future<Output = ()>,
) -> Result<Totals, BatchError> {
    let mut runner = Runner {
        rate: settings.rate.map(Spacing::per_second),
        gathered: Instant::now() + GATHERING,
        ids: QuestionIds::new()?,
        asker,
        settings,
        items: Some(items),
        known: KnownAnswers::default(),
        waiting: HashMap::new(),
        lanes: Vec::new(),
        delayed: Delayed::default(),
        in_flight: JoinSet::new(),
        totals: Totals::default(),
    };
    tokio::select! {
        ended = runner.work(output) => ended?,
        () = stop => output.pause(&runner.totals)?,
    }
    Ok(runner.totals)
}

struct Runner {
    settings: BatchSettings,
    /// Not there where nothing is asked.
    asker: Option<Arc<Asker>>,
    ids: QuestionIds,
    /// Not there once all is read.
    items: Option<mpsc::Receiver<Item>>,
    known: KnownAnswers,
    /// The questions without an answer, and who waits for it.
    waiting: HashMap<Fingerprint, Waiting>,
    /// The questions that can be asked, by partition.
    lanes: Vec<Lane>,
    /// The questions that are put off.
    delayed: Delayed<Job>,
    in_flight: JoinSet<Asked>,
    rate: Option<Spacing>,
    /// When asking may begin although more could be read ahead.
    gathered: Instant,
    totals: Totals,
}

struct Waiting {
    key: KeyInfo,
    places: Vec<Place>,
}

/// The questions for one partition.
struct Lane {
    partition: &'static str,
    ready: SpreadQueue<Job>,
    pace: Pace,
}

/// A question on its way through the partitions.
struct Job {
    question: Fingerprint,
    /// The account that pays; for a key that does not tell it, the key itself.
    account: u64,
    credentials: Credentials,
    routes: Vec<Arc<StsClient>>,
    /// What the partitions before said.
    heard: Vec<Attempt>,
    attempts: u32,
    /// What came of asking this partition so far.
    here: Here,
}

#[derive(Default)]
struct Here {
    began: Option<Instant>,
    throttled: u32,
    failed: u32,
}

struct Asked {
    job: Job,
    attempt: Attempt,
    at: Instant,
}

impl Runner {
    async fn work(&mut self, output: &mut impl Output) -> Result<(), BatchError> {
        let mut buffer = Vec::with_capacity(MAX_ITEMS);
        loop {
            let wake = self.start_ready(Instant::now());
            if self.items.is_none() && self.waiting.is_empty() {
                return Ok(output.pause(&self.totals)?);
            }
            output.pause(&self.totals)?;
            let reads = self.waiting.len() < MAX_WAITING;
            tokio::select! {
                Some(asked) = self.in_flight.join_next(), if !self.in_flight.is_empty() => {
                    // A task neither panics nor is it cancelled.
                    if let Ok(asked) = asked {
                        self.heard(asked, output)?;
                    }
                    while let Some(Ok(asked)) = self.in_flight.try_join_next() {
                        self.heard(asked, output)?;
                    }
                }
                count = receive(self.items.as_mut(), &mut buffer), if reads && self.items.is_some() => {
                    if count == 0 {
                        self.items = None;
                    }
                    for item in buffer.drain(..) {
                        self.take(item, output)?;
                    }
                }
                () = wait_until(wake), if wake.is_some() => {}
            }
        }
    }

    fn take(&mut self, item: Item, output: &mut impl Output) -> io::Result<()> {
        match item {
            Item::Entry(place, Question::Credentials(request)) => self.take_entry(place, request, output),
            Item::Entry(place, Question::Proof(proof)) => {
                self.refuse(&place, check_proof(&proof, &self.settings.audiences), output)
            }
            Item::Unreadable(place, reason) => self.refuse(&place, reason, output),
            Item::PassedOver => {
                self.totals.passed_over += 1;
                Ok(())
            }
        }
    }

    fn refuse(&mut self, place: &Place, reason: ReadError, output: &mut impl Output) -> io::Result<()> {
        self.totals.unreadable += 1;
        output.unreadable(place, reason)
    }

    fn take_entry(
        &mut self,
        place: Place,
        request: VerifyRequest,
        output: &mut impl Output,
    ) -> io::Result<()> {
        let key = KeyInfo::of(&request.credentials, &self.settings.canaries);
        let routes = match self.asker.as_ref().map(|asker| asker.routes(&request.region)) {
            Some(None) => return self.refuse(&place, ReadError::Region, output),
            Some(Some(routes)) => routes,
            None => Vec::new(),
        };
        self.totals.read += 1;
        if let Some(verdict) = output.is_done(&place, &key) {
            self.totals.done_before += 1;
            self.totals.valid_before += u64::from(verdict == Verdict::Valid);
            return Ok(());
        }
        let question = self.fingerprint(&request.credentials, routes.first());
        if let Some(answer) = self.known.get(&question) {
            return self.tell(&place, &key, &answer, output);
        }
        if let Some(waiting) = self.waiting.get_mut(&question) {
            waiting.places.push(place);
            return Ok(());
        }
        self.totals.distinct += 1;
        if let Some(answer) = self.skipped(&key) {
            self.totals.answered += 1;
            self.known.insert(question, &answer);
            return self.tell(&place, &key, &answer, output);
        }
        let account = account_of(&key, &question);
        self.waiting.insert(question, Waiting { key, places: vec![place] });
        let credentials = request.credentials;
        self.enqueue(Job {
            question,
            account,
            credentials,
            routes,
            heard: Vec::new(),
            attempts: 0,
            here: Here::default(),
        });
        Ok(())
    }

    /// The answer for a key that is not asked about.
    fn skipped(&self, key: &KeyInfo) -> Option<Answer> {
        if key.canary && (self.asker.is_none() || !self.settings.ask_canaries) {
            return Some(Answer::skipped(
                "CanaryAccount",
                "The key's account is known to hold decoys. To ask about it would alarm their owner.",
            ));
        }
        self.asker.is_none().then(|| Answer::skipped("Offline", "Nothing is asked with --offline."))
    }

    fn fingerprint(&self, credentials: &Credentials, client: Option<&Arc<StsClient>>) -> Fingerprint {
        let region = client.map_or("", |client| client.name());
        let secret = credentials.secret_access_key().expose_secret();
        let token = credentials.session_token().map_or("", |token| token.expose_secret());
        self.ids.of("batch", [region, credentials.access_key_id(), secret, token]).short()
    }

    fn enqueue(&mut self, job: Job) {
        let Some(partition) = job.route().map(|client| partition(client)) else { return };
        let lane = self.lane(partition);
        lane.ready.push(job.account, job);
    }

    fn lane(&mut self, partition: &'static str) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.partition == partition);
        let at = known.unwrap_or_else(|| {
            self.lanes.push(Lane { partition, ready: SpreadQueue::default(), pace: Pace::default() });
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    /// Asks what can be asked now. Gives when there may be more, unless an answer or an item comes first.
    fn start_ready(&mut self, now: Instant) -> Option<Instant> {
        while let Some(job) = self.delayed.pop_due(now) {
            self.enqueue(job);
        }
        let mut wake = self.delayed.first();
        if now < self.gathered && self.items.is_some() && self.waiting.len() < MAX_WAITING {
            return earlier(wake, self.gathered);
        }
        while self.in_flight.len() < self.settings.concurrency.max(1) {
            let Some(at) = self.lanes.iter_mut().filter_map(|lane| lane.next(now)).min() else { break };
            let at = self.rate.as_ref().map_or(at, |rate| at.max(rate.next(now)));
            if at > now {
                wake = earlier(wake, at);
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
            self.in_flight.spawn(async move {
                let attempt = match job.route() {
                    Some(client) => asker.ask(client, &job.credentials).await,
                    None => Attempt { answer: combine(Vec::new()), kind: AttemptKind::Final },
                };
                Asked { job, attempt, at: now }
            });
        }
    }

    /// Takes in what came of asking once.
    fn heard(&mut self, asked: Asked, output: &mut impl Output) -> io::Result<()> {
        let Asked { mut job, attempt, at } = asked;
        let now = Instant::now();
        job.attempts += 1;
        if let Some(client) = job.route() {
            let pace = &mut self.lane(partition(client)).pace;
            match attempt.kind {
                AttemptKind::Throttled => pace.throttled(now, at),
                _ => pace.answered(now),
            }
        }
        if let Some(again) = self.again(&mut job, attempt.kind, now) {
            self.delayed.push(again, job);
            return Ok(());
        }
        let goes_on = attempt.leaves_open() && job.heard.len() + 1 < job.routes.len();
        job.heard.push(attempt);
        if goes_on {
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
            AttemptKind::Final | AttemptKind::UnknownKey { .. } => return None,
        };
        (now + wait <= here.began? + self.settings.give_up).then_some(now + wait)
    }

    fn tell(
        &mut self,
        place: &Place,
        key: &KeyInfo,
        answer: &Answer,
        output: &mut impl Output,
    ) -> io::Result<()> {
        self.totals.verdicts[answer.verdict as usize] += 1;
        output.answer(place, key, answer)
    }
}

impl Job {
    /// Whom to ask next.
    fn route(&self) -> Option<&Arc<StsClient>> {
        self.routes.get(self.heard.len())
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

fn earlier(one: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(one.map_or(other, |one| one.min(other)))
}

async fn receive(items: Option<&mut mpsc::Receiver<Item>>, buffer: &mut Vec<Item>) -> usize {
    match items {
        Some(items) => items.recv_many(buffer, MAX_ITEMS).await,
        None => 0,
    }
}

async fn wait_until(at: Option<Instant>) {
    if let Some(at) = at {
        sleep_until(at).await;
    }
}
