//! How long a connection may wait for its client to send something.

use super::exchange::Phase;
use crate::config::HttpArgs;
use crate::observability::metrics::WaitedFor;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The longest waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// For a head, or for the rest of a body that nobody wants.
    read_timeout: Duration,
    /// For the first byte of the next request.
    keep_alive: Duration,
}

impl Waits {
    pub(super) fn new(http: &HttpArgs) -> Self {
        Self { read_timeout: http.read_timeout, keep_alive: http.keep_alive }
    }

    /// For a TLS handshake.
    pub(super) fn handshake(&self) -> Duration {
        self.read_timeout
    }

    /// How long a phase may last. The first head has to come in one such time, whether or not it has begun.
    fn of(&self, phase: Phase, answered: u64) -> Option<Duration> {
        match phase {
            Phase::Idle if answered > 0 => Some(self.keep_alive),
            Phase::Idle | Phase::Head | Phase::Rest => Some(self.read_timeout),
            // Bodies, calls to STS and answers have limits of their own.
            Phase::Request | Phase::Answer => None,
        }
    }
}

/// The one timer of a connection. It is seldom set: when it fires too early, it is set anew.
pub(super) struct Clock {
    waits: Waits,
    /// The phase and the number of answers when it was last looked at.
    seen: (Phase, u64),
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Clock {
    pub(super) fn new(waits: Waits) -> Self {
        let since = Instant::now();
        Self {
            waits,
            seen: (Phase::Idle, 0),
            since,
            timer: Box::pin(sleep_until(since + waits.read_timeout)),
        }
    }

    /// Ready when the phase that a connection is in has lasted too long, with what was waited for, if it was anything of a
    /// request. To be polled after anything has happened on the connection.
    pub(super) fn poll_expired(
        &mut self,
        cx: &mut Context<'_>,
        now: (Phase, u64),
    ) -> Poll<Option<WaitedFor>> {
        if now != self.seen {
            let first_head = now == (Phase::Head, 0);
            if !first_head {
                self.since = Instant::now();
            }
            self.seen = now;
        }
        let (phase, answered) = now;
        let Some(wait) = self.waits.of(phase, answered) else { return Poll::Pending };
        let due = self.since + wait;
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= due {
                return Poll::Ready(match phase {
                    Phase::Idle if answered > 0 => None,
                    Phase::Rest => Some(WaitedFor::Body),
                    _ => Some(WaitedFor::Head),
                });
            }
            self.timer.as_mut().reset(due);
        }
    }
}
