//! Processes a batch: reads a line when fewer lines than allowed are in flight, and sends its answer as soon as
//! it is known.

use super::answers::Answers;
use super::lines::{Line, LineError, Lines};
use crate::callers::CallerId;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::routes::verify::verify_json;
use crate::http::state::SharedState;
use crate::http::verification::Verification;
use crate::observability::SharedRecord;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

/// The future answer to a line.
type PendingAnswer = BoxFuture<'static, (u64, Verification)>;

/// A batch.
pub(super) struct Batch {
    pub app: SharedState,
    pub caller: CallerId,
    /// The log record of the batch.
    pub record: SharedRecord,
    pub lines: Lines,
    pub answers: Answers,
    /// The lines that were read and have no answer yet.
    pub unanswered: BTreeSet<u64>,
    /// Held by the line that waits for the caller's rate limit: one at a time, the others wait behind it.
    pub turn: Arc<Mutex<()>>,
}

impl Batch {
    /// Processes the batch until its end or the deadline.
    pub(super) async fn run(mut self, first: Line, deadline: Instant) {
        if timeout_at(deadline, self.work(first)).await.is_ok() {
            return;
        }
        for number in std::mem::take(&mut self.unanswered) {
            self.send(number, &Verification::error(&ApiError::BatchDeadline, None));
        }
    }

    async fn work(&mut self, first: Line) {
        let mut in_flight = FuturesUnordered::new();
        let mut reads_on = self.start(first, &in_flight);
        loop {
            let has_room = reads_on && in_flight.len() < self.app.batch.in_flight;
            tokio::select! {
                Some((number, answer)) = in_flight.next(), if !in_flight.is_empty() => self.send(number, &answer),
                line = self.next_line(), if has_room => {
                    reads_on = line.is_some_and(|line| self.start(line, &in_flight));
                }
                else => return,
            }
        }
    }

    async fn next_line(&mut self) -> Option<Line> {
        self.answers.room().await;
        self.lines.next().await
    }

    /// Starts the verification of a line. Returns whether to read further lines.
    fn start(&mut self, Line { number, text }: Line, in_flight: &FuturesUnordered<PendingAnswer>) -> bool {
        let error = match text {
            Err(LineError::CutOff) => ApiError::BodyCutOff,
            Err(LineError::TooMany) => ApiError::TooManyLines,
            Err(LineError::TooLong) => ApiError::TooLarge,
            Ok(text) => {
                self.unanswered.insert(number);
                in_flight.push(self.verify(number, text));
                return true;
            }
        };
        let reads_on = error == ApiError::TooLarge;
        self.send(number, &Verification::error(&error, None));
        reads_on
    }

    fn verify(&self, number: u64, text: Zeroizing<Vec<u8>>) -> PendingAnswer {
        let (app, caller, batch) = (self.app.clone(), self.caller, self.record.clone());
        let turn = self.turn.clone();
        let verification = async move {
            if let Some(limit) = &app.callers {
                let _turn = turn.lock().await;
                while let Err(wait) = limit.count(caller).await {
                    sleep(wait).await;
                }
            }
            let record = SharedRecord::default();
            let wants_retries = Arc::new(|| true);
            let context = RequestContext { caller, record, wants_retries, waits_for_permit: true };
            let answer = verify_json(&app, &context, text.into()).await;
            if let Some(fault) = context.record.take().fault {
                batch.update(|record| record.fault = Some(fault));
            }
            answer
        };
        // A panic would end the whole batch.
        let verification = AssertUnwindSafe(verification).catch_unwind();
        let answer = verification
            .map(|answer| answer.unwrap_or_else(|_| Verification::error(&ApiError::Internal, None)));
        answer.map(move |answer| (number, answer)).boxed()
    }

    fn send(&mut self, number: u64, answer: &Verification) {
        self.unanswered.remove(&number);
        let code = answer.error.as_ref().map(ApiError::code);
        self.app.metrics.batch_line_answered(code.as_deref());
        self.record.update(|record| record.batch.get_or_insert_default().count(answer.verdict));
        self.answers.put(number, answer);
    }
}
