//! The state of a connection that its two sides share: hyper's input and output ([`super::wire`]) and the
//! service that answers. There is one request at a time.

use hyper::body::Incoming;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request has arrived since the last response.
    Idle,
    /// The head of a request is arriving.
    Head,
    /// A request is being processed.
    Request,
    /// Its response is being written.
    Answer,
    /// Its response is written, and the rest of its body is read and discarded.
    Rest,
}

/// The rest of a request's body when its response is ready.
pub(super) enum Unread {
    /// Nothing: there was no body, or it was read to its end.
    Nothing,
    /// The response body continues to read it.
    InUse,
    /// The whole body: reading has not begun.
    All(Incoming),
    /// More than the service wanted to read, or could.
    Rest,
}

/// Shared by all parts of one connection. It is only locked briefly.
pub(super) struct Exchange(Mutex<State>);

struct State {
    phase: Phase,
    answered: u64,
    unread: Unread,
    /// The body of the response has not ended.
    answering: bool,
    /// The rest of the request's body is being read.
    discarding: bool,
    /// The client may be sending bytes that are not read.
    lingers: bool,
    /// The number of bytes of the response to send early, to check whether the client is there.
    ahead: usize,
}

impl Exchange {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Idle,
            answered: 0,
            unread: Unread::Nothing,
            answering: false,
            discarding: false,
            lingers: false,
            ahead: 0,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The phase, and the number of responses so far.
    pub(super) fn moment(&self) -> (Phase, u64) {
        let state = self.state();
        (state.phase, state.answered)
    }

    /// Called when bytes have arrived.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
        }
    }

    /// Called when a head was parsed and its request goes to the service.
    pub(super) fn requested(&self, unread: Unread) {
        let mut state = self.state();
        state.phase = Phase::Request;
        state.unread = unread;
        state.ahead = 0;
    }

    /// Checks whether the client has left. It may have left without a sign if the bytes after its request fill
    /// the system's buffer.
    pub(super) fn probe(&self, has_sent_more: bool) {
        self.state().ahead += usize::from(has_sent_more);
    }

    /// Called when the request's body is no longer read, with its rest. Once the response's head is sent, the
    /// connection can only be closed in a way that lets the client read the response.
    pub(super) fn body_ended(&self, unread: Unread) {
        let mut state = self.state();
        if state.phase == Phase::Request {
            state.unread = unread;
        } else {
            state.unread = Unread::Nothing;
            state.lingers |= !matches!(unread, Unread::Nothing);
        }
    }

    /// Whether the handler uses what the client sends. It does not use bytes that are discarded, nor a next
    /// request.
    pub(super) fn takes_input(&self) -> bool {
        matches!(self.state().unread, Unread::InUse)
    }

    /// Called when the response is ready. Returns the rest of the request's body.
    pub(super) fn answered(&self) -> Unread {
        let mut state = self.state();
        state.phase = Phase::Answer;
        state.answering = true;
        match std::mem::replace(&mut state.unread, Unread::Nothing) {
            Unread::InUse => {
                // It stays in use until the body ends.
                state.unread = Unread::InUse;
                Unread::InUse
            }
            unread => unread,
        }
    }

    /// Called when the body of the response has ended or was dropped.
    pub(super) fn answer_ended(&self) {
        self.state().answering = false;
    }

    /// Called when reading and discarding the rest of the request's body begins or ends.
    pub(super) fn discard(&self, discarding: bool) {
        let mut state = self.state();
        state.discarding = discarding;
        if !discarding && state.phase == Phase::Rest {
            state.phase = Phase::Idle;
        }
    }

    /// Called when the connection ends after this response although its client may still be sending.
    pub(super) fn linger(&self) {
        self.state().lingers = true;
    }

    pub(super) fn lingers(&self) -> bool {
        self.state().lingers
    }

    /// Whether the bytes that hyper writes come from the service, 100 Continue included. Before a head was
    /// parsed they are hyper's own rejection.
    pub(super) fn is_ours(&self) -> bool {
        !matches!(self.state().phase, Phase::Idle | Phase::Head)
    }

    /// The number of bytes of the response that the client should have by now. Zero before there is a request.
    pub(super) fn due_ahead(&self, half_closed: bool) -> usize {
        let state = self.state();
        match state.phase {
            Phase::Request if half_closed => usize::MAX,
            Phase::Request => state.ahead,
            _ => 0,
        }
    }

    /// Called when the system has taken all bytes that hyper had to write.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if state.phase == Phase::Answer && !state.answering {
            state.answered += 1;
            state.phase = if state.discarding { Phase::Rest } else { Phase::Idle };
        }
    }
}
