//! The time limits of a connection: how long it waits for its client, and when to check whether the client is
//! still there.

use super::exchange::Phase;
use crate::config::HttpArgs;
use crate::observability::metrics::WaitedFor;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// How often to check whether the client of a request is still there, if it has sent more than the request.
const PROBE: Duration = Duration::from_secs(2);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Check whether the client is still there.
    Probe,
    /// Close a connection that is not used.
    Idle,
    /// Close a connection whose client did not do this in time.
    Late(WaitedFor),
}

/// The time limits.
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

    /// The limit of a TLS handshake.
    pub(super) fn handshake(&self) -> Duration {
        self.read_timeout
    }

    /// How long a phase may last, and what is due then. The first head must arrive within one such time,
    /// whether or not it has begun.
    fn of(&self, phase: Phase, answered: u64) -> Option<(Duration, Due)> {
        match phase {
            Phase::Idle if answered > 0 => Some((self.keep_alive, Due::Idle)),
            Phase::Idle | Phase::Head => Some((self.read_timeout, Due::Late(WaitedFor::Head))),
            // Bodies, calls to STS and responses have limits of their own.
            Phase::Request => Some((PROBE, Due::Probe)),
            Phase::Answer => None,
            Phase::Rest => Some((self.read_timeout, Due::Late(WaitedFor::Body))),
        }
    }
}

/// The one timer of a connection. It is rarely set: if it fires too early, it is set again.
pub(super) struct Clock {
    waits: Waits,
    /// The phase and the number of responses at the last check.
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

    /// Ready when the current phase has lasted too long. Must be polled after any event on the connection.
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
