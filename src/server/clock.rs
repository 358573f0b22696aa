//! How long a connection may wait for its client to send something, and when to see whether it is still there.

use super::exchange::Phase;
use crate::config::HttpArgs;
use crate::observability::metrics::WaitedFor;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// How often to see whether the client of a request that is being answered is still there, if it has sent more than that.
const PROBE: Duration = Duration::from_secs(2);

/// What it is time for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// To see whether the client is there.
    Probe,
    /// To close a connection that is not used.
    Idle,
    /// To close a connection whose client did not do this.
    Late(WaitedFor),
}

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

    /// How long a phase may last, and what is due then. The first head has to come in one such time, whether or not it has
    /// begun.
    fn of(&self, phase: Phase, answered: u64) -> Option<(Duration, Due)> {
        match phase {
            Phase::Idle if answered > 0 => Some((self.keep_alive, Due::Idle)),
            Phase::Idle | Phase::Head => Some((self.read_timeout, Due::Late(WaitedFor::Head))),
            // Bodies and calls to STS have limits of their own, and so have answers.
            Phase::Request => Some((PROBE, Due::Probe)),
            Phase::Answer => None,
            Phase::Rest => Some((self.read_timeout, Due::Late(WaitedFor::Body))),
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

    /// Ready when the phase that a connection is in has lasted too long. To be polled after anything has happened on the
    /// connection.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>, now: (Phase, u64)) -> Poll<Due> {
        if now != self.seen {
            let first_head = now == (Phase::Head, 0);
            if !first_head {
                self.since = Instant::now();
            }
            self.seen = now;
        }
        let (phase, answered) = now;
        let Some((wait, due)) = self.waits.of(phase, answered) else { return Poll::Pending };
        let end = self.since + wait;
        if end < self.timer.deadline() {
            self.timer.as_mut().reset(end);
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= end {
                self.since = Instant::now();
                return Poll::Ready(due);
            }
            self.timer.as_mut().reset(end);
        }
    }
}
