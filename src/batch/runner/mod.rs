//! Asks about each distinct question of a list once, and tells all its places the answer. It knows neither files nor terminals:
//! items come in by a channel, and answers go out to an [`Output`].
//!
//! What is held is bounded: the questions that wait and are asked (with their secrets), some bytes a distinct question, and the
//! places of those that have no answer yet.

mod asking;
mod output;
mod question;

pub use output::{Output, Totals};

use crate::batch::answer::{Answer, KeyInfo, Verdict};
use crate::batch::ask::Asker;
use crate::batch::entry::{Item, Place, ReadError};
use crate::batch::known::{Fingerprint, KnownAnswers};
use crate::batch::pace::Spacing;
use crate::batch::queue::Delayed;
use crate::identity::Canaries;
use crate::proof::ProofVerifier;
use crate::sts::coalescing::CallKeys;
use asking::{Asked, Job, Lane};
use question::{Next, Understood};
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

/// How a list is worked off.
#[derive(Clone)]
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
    /// What checks proofs; without it they cannot be read.
    pub proofs: Option<Arc<ProofVerifier>>,
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
        ids: CallKeys::new()?,
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
    ids: CallKeys,
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
            Item::Entry(place, question) => match self.understand(question) {
                Ok(understood) => self.take_question(place, understood, output),
                Err(reason) => self.refuse(&place, reason, output),
            },
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

    fn take_question(
        &mut self,
        place: Place,
        Understood { key, id, next }: Understood,
        output: &mut impl Output,
    ) -> io::Result<()> {
        self.totals.read += 1;
        if let Some(verdict) = output.is_done(&place, &key) {
            self.totals.done_before += 1;
            self.totals.valid_before += u64::from(verdict == Verdict::Valid);
            return Ok(());
        }
        if let Some(answer) = self.known.get(&id) {
            return self.tell(&place, &key, &answer, output);
        }
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.places.push(place);
            return Ok(());
        }
        self.totals.distinct += 1;
        match next {
            Next::Tell(answer) => {
                self.totals.answered += 1;
                self.known.insert(id, &answer);
                self.tell(&place, &key, &answer, output)
            }
            Next::Do(steps) => {
                self.enqueue(Job::new(id, &key, steps));
                self.waiting.insert(id, Waiting { key, places: vec![place] });
                Ok(())
            }
        }
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
