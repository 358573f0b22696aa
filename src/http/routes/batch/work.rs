//! Works a batch off: reads a line when there is a place for it, and tells its answer when it is known.

use super::answers::Answers;
use super::lines::{BadLine, Line, Lines};
use crate::callers::CallerId;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::routes::verify::verify_json;
use crate::http::state::AppState;
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

/// What comes of a line that was asked about.
type Asked = BoxFuture<'static, (u64, Verification)>;

/// A batch.
pub(super) struct Batch {
    pub app: AppState,
    pub caller: CallerId,
    /// What the log will say of the batch.
    pub record: SharedRecord,
    pub lines: Lines,
    pub answers: Answers,
    /// The lines that were read and have no answer yet.
    pub unanswered: BTreeSet<u64>,
    /// Who waits for the caller's limit: one line at a time, the others behind it.
    pub turn: Arc<Mutex<()>>,
}

impl Batch {
    /// Works it off, or until the deadline.
    pub(super) async fn run(mut self, first: Line, deadline: Instant) {
        if timeout_at(deadline, self.work(first)).await.is_ok() {
            return;
        }
        for number in std::mem::take(&mut self.unanswered) {
            self.tell(number, &Verification::error(&ApiError::BatchDeadline, None));
        }
    }

    async fn work(&mut self, first: Line) {
        let mut asked = FuturesUnordered::new();
        let mut reads = self.take(first, &asked);
        loop {
            let has_place = reads && asked.len() < self.app.batch.in_flight;
            tokio::select! {
                Some((number, answer)) = asked.next(), if !asked.is_empty() => self.tell(number, &answer),
                line = self.next_line(), if has_place => {
                    reads = line.is_some_and(|line| self.take(line, &asked));
                }
                else => return,
            }
        }
    }

    async fn next_line(&mut self) -> Option<Line> {
        self.answers.room().await;
        self.lines.next().await
    }

    /// Asks about a line. Tells whether more are to be read.
    fn take(&mut self, Line { number, text }: Line, asked: &FuturesUnordered<Asked>) -> bool {
        let refusal = match text {
            Err(BadLine::CutOff) => ApiError::BodyCutOff,
            Err(BadLine::TooMany) => ApiError::TooManyLines,
            Err(BadLine::TooLong) => ApiError::TooLarge,
            Ok(text) => {
                self.unanswered.insert(number);
                asked.push(self.ask(number, text));
                return true;
            }
        };
        let goes_on = refusal == ApiError::TooLarge;
        self.tell(number, &Verification::error(&refusal, None));
        goes_on
    }

    fn ask(&self, number: u64, text: Zeroizing<Vec<u8>>) -> Asked {
        let (app, caller, batch) = (self.app.clone(), self.caller, self.record.clone());
        let turn = self.turn.clone();
        let asked = async move {
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
        // A panic would take the whole batch with it.
        let asked = AssertUnwindSafe(asked).catch_unwind();
        let answer =
            asked.map(|answer| answer.unwrap_or_else(|_| Verification::error(&ApiError::Internal, None)));
        answer.map(move |answer| (number, answer)).boxed()
    }

    fn tell(&mut self, number: u64, answer: &Verification) {
        self.unanswered.remove(&number);
        let code = answer.error.as_ref().map(ApiError::code);
        self.app.metrics.batch_line_answered(code.as_deref());
        self.record.update(|record| record.batch.get_or_insert_default().count(answer.verdict));
        self.answers.put(number, answer);
    }
}
