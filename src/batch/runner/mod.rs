//! Verifies each distinct request of a list once, and reports the answer for each of its locations. It knows
//! neither files nor terminals: items come through a channel, and answers go to an [`Output`].
//!
//! Memory is limited: it holds the waiting and running requests (with their secrets), some bytes for each
//! distinct request, and a limited number of locations that wait for an answer.

mod calls;
mod output;
mod prepare;
mod waiting;

pub use output::{Output, Totals};

use crate::batch::answer::{Answer, KeyInfo, Verdict};
use crate::batch::attempt::StsPartitions;
use crate::batch::entry::{Item, Location, ReadError};
use crate::batch::known::KnownAnswers;
use crate::batch::pace::Spacing;
use crate::batch::queue::Delayed;
use crate::identity::Canaries;
use crate::proof::ProofVerifier;
use crate::sts::coalescing::CallKeys;
use calls::{FinishedCall, Job, Lane};
use prepare::{Next, Prepared};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use waiting::WaitingRequests;

/// The number of items that are taken from the channel at once.
const MAX_ITEMS: usize = 256;

/// How long requests may be collected before the first call.
const GATHERING: Duration = Duration::from_millis(100);

/// How a list is processed.
#[derive(Clone)]
pub struct BatchSettings {
    /// The maximum number of calls to STS at the same time.
    pub concurrency: usize,
    /// The maximum number of calls to STS per second.
    pub rate: Option<f64>,
    /// After this time a throttled request is given up.
    pub give_up: Duration,
    /// Whether STS is called for keys of decoys.
    pub ask_canaries: bool,
    /// The accounts that hold decoys.
    pub canaries: Canaries,
    /// Verifies proofs. Without it proofs cannot be read.
    pub proofs: Option<Arc<ProofVerifier>>,
}

/// Why a list could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The output failed.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// The system has no randomness.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// Processes a list. Without `sts` nothing is sent. Ends when the channel is closed and every entry has an
/// answer, or at `stop`.
///
/// # Errors
///
/// [`BatchError`].
pub async fn run(
    items: mpsc::Receiver<Item>,
    sts: Option<Arc<StsPartitions>>,
    settings: BatchSettings,
    output: &mut impl Output,
    stop: impl Future<Output = ()>,
) -> Result<Totals, BatchError> {
    let mut runner = Runner {
        rate: settings.rate.map(Spacing::per_second),
        gathered: Instant::now() + GATHERING,
        keys: CallKeys::new()?,
        sts,
        settings,
        items: Some(items),
        known: KnownAnswers::default(),
        waiting: WaitingRequests::default(),
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
    /// `None` if nothing is sent.
    sts: Option<Arc<StsPartitions>>,
    keys: CallKeys,
    /// `None` once everything was read.
    items: Option<mpsc::Receiver<Item>>,
    known: KnownAnswers,
    waiting: WaitingRequests,
    /// The requests that can be sent, by partition.
    lanes: Vec<Lane>,
    /// The requests that wait for a time.
    delayed: Delayed<Job>,
    in_flight: JoinSet<FinishedCall>,
    rate: Option<Spacing>,
    /// When calls may begin although more could be read ahead.
    gathered: Instant,
    totals: Totals,
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
            let reads = self.reads_ahead();
            tokio::select! {
                Some(finished) = self.in_flight.join_next(), if !self.in_flight.is_empty() => {
                    // A task neither panics nor is cancelled.
                    if let Ok(finished) = finished {
                        self.finish_call(finished, output)?;
                    }
                    while let Some(Ok(finished)) = self.in_flight.try_join_next() {
                        self.finish_call(finished, output)?;
                    }
                }
                count = receive(self.items.as_mut(), &mut buffer), if reads => {
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

    /// Whether further items are read.
    fn reads_ahead(&self) -> bool {
        self.items.is_some() && self.waiting.has_room()
    }

    fn take(&mut self, item: Item, output: &mut impl Output) -> io::Result<()> {
        match item {
            Item::Entry(location, posted) => match self.prepare(posted) {
                Ok(prepared) => self.take_entry(location, prepared, output),
                Err(reason) => self.unreadable(&location, reason, output),
            },
            Item::Unreadable(location, reason) => self.unreadable(&location, reason, output),
            Item::Ignored => {
                self.totals.ignored += 1;
                Ok(())
            }
        }
    }

    fn unreadable(
        &mut self,
        location: &Location,
        reason: ReadError,
        output: &mut impl Output,
    ) -> io::Result<()> {
        self.totals.unreadable += 1;
        output.unreadable(location, reason)
    }

    fn take_entry(
        &mut self,
        location: Location,
        Prepared { key, id, next }: Prepared,
        output: &mut impl Output,
    ) -> io::Result<()> {
        self.totals.read += 1;
        if let Some(verdict) = output.is_done(&location, &key) {
            self.totals.done_before += 1;
            self.totals.valid_before += u64::from(verdict == Verdict::Valid);
            return Ok(());
        }
        if let Some(answer) = self.known.get(&id) {
            return self.report(&location, &key, &answer, output);
        }
        let Some(location) = self.waiting.join(&id, location) else { return Ok(()) };
        self.totals.distinct += 1;
        match next {
            Next::Answer(answer) => {
                self.totals.answered += 1;
                self.known.insert(id, &answer);
                self.report(&location, &key, &answer, output)
            }
            Next::Do(steps) => {
                self.enqueue(Job::new(id, &key, steps));
                self.waiting.insert(id, key, location);
                Ok(())
            }
        }
    }

    fn report(
        &mut self,
        location: &Location,
        key: &KeyInfo,
        answer: &Answer,
        output: &mut impl Output,
    ) -> io::Result<()> {
        self.totals.verdicts[answer.verdict as usize] += 1;
        output.answer(location, key, answer)
    }
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
