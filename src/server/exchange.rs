//! What the two sides of a connection know of the request on it: hyper's input and output ([`super::wire`]) and the service
//! that answers. There is one request at a time.

use hyper::body::Incoming;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a connection is about at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request has come, or nothing since the last answer.
    Idle,
    /// The head of a request is coming.
    Head,
    /// A request is being answered.
    Request,
    /// Its answer is being written.
    Answer,
    /// Its answer is written, and what is left of its body is read and thrown away.
    Rest,
}

/// What is left of a request's body when its answer is there.
pub(super) enum Unread {
    /// Nothing: there was none, or it came to its end.
    Nothing,
    /// The answer's own body reads it on.
    InUse,
    /// All of it: nobody has begun to read.
    All(Incoming),
    /// More than anybody wanted to read, or could.
    Rest,
}

/// Shared by all that belongs to one connection, and locked for moments only.
pub(super) struct Exchange(Mutex<State>);

struct State {
    phase: Phase,
    answered: u64,
    unread: Unread,
    /// The body of the answer is not at its end.
    answering: bool,
    /// What is left of the request's body is being read.
    discarding: bool,
    /// The client may be sending what nobody reads.
    lingers: bool,
    /// How many bytes of the answer are to be sent ahead of it, to see whether the client is there.
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

    /// What goes on, and after how many answers.
    pub(super) fn moment(&self) -> (Phase, u64) {
        let state = self.state();
        (state.phase, state.answered)
    }

    /// Bytes have come.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
        }
    }

    /// A head was understood, and its request goes to the service.
    pub(super) fn requested(&self, unread: Unread) {
        let mut state = self.state();
        state.phase = Phase::Request;
        state.unread = unread;
        state.ahead = 0;
    }

    /// The client of the request may have left without a sign: all that it sent before fills the system's buffer.
    pub(super) fn probe(&self, has_sent_more: bool) {
        self.state().ahead += usize::from(has_sent_more);
    }

    /// The request's body is read no more, and this is left of it. After the answer's head has gone out there is nothing to
    /// be done but to close in a way that the client can still read it.
    pub(super) fn body_ended(&self, unread: Unread) {
        let mut state = self.state();
        if state.phase == Phase::Request {
            state.unread = unread;
        } else {
            state.unread = Unread::Nothing;
            state.lingers |= !matches!(unread, Unread::Nothing);
        }
    }

    /// Whether what comes from the client is wanted by whoever answers. What is read only to be thrown away is not, nor is a next request.
    pub(super) fn takes_input(&self) -> bool {
        matches!(self.state().unread, Unread::InUse)
    }

    /// The answer is there; gives what is left of the request's body.
    pub(super) fn answered(&self) -> Unread {
        let mut state = self.state();
        state.phase = Phase::Answer;
        state.answering = true;
        match std::mem::replace(&mut state.unread, Unread::Nothing) {
            Unread::InUse => {
                // It is until the body ends.
                state.unread = Unread::InUse;
                Unread::InUse
            }
            unread => unread,
        }
    }

    /// The body of the answer is at its end, or given up.
    pub(super) fn answer_ended(&self) {
        self.state().answering = false;
    }

    /// What is left of the request's body begins, or ends, to be read and thrown away.
    pub(super) fn discard(&self, discarding: bool) {
        let mut state = self.state();
        state.discarding = discarding;
        if !discarding && state.phase == Phase::Rest {
            state.phase = Phase::Idle;
        }
    }

    /// The connection ends after this answer, and its client may still be sending.
    pub(super) fn linger(&self) {
        self.state().lingers = true;
    }

    pub(super) fn lingers(&self) -> bool {
        self.state().lingers
    }

    /// Whether what hyper writes is of the service's making, 100 Continue included. Before a head is understood it is
    /// hyper's refusal of it.
    pub(super) fn is_ours(&self) -> bool {
        !matches!(self.state().phase, Phase::Idle | Phase::Head)
    }

    /// How many bytes of its answer the client should have by now: none before there is a request.
    pub(super) fn due_ahead(&self, half_closed: bool) -> usize {
        let state = self.state();
        match state.phase {
            Phase::Request if half_closed => usize::MAX,
            Phase::Request => state.ahead,
            _ => 0,
        }
    }

    /// All that hyper had to write is with the system.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if state.phase == Phase::Answer && !state.answering {
            state.answered += 1;
            state.phase = if state.discarding { Phase::Rest } else { Phase::Idle };
        }
    }
}
