//! Redis or Valkey, for the state that replicas share: the used proofs, and the request counts of callers.
//!
//! One connection carries the commands of all requests. A separate task makes it and reconnects when it is
//! lost. While Redis is known to be unreachable, commands fail at once, so none is queued. Every wait has a
//! limit.
//!
//! The only room that uses the client crate. It makes no decisions: the code that sends a command decides what
//! an error means.

mod commands;
mod connection;
mod failure;
mod url;

pub use connection::RedisServer;
pub use failure::{OnFailure, Operation, RedisFailure};
pub use url::RedisUrl;

use connection::{Link, LinkState};
use redis::{Cmd, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long an answer may take. A connection with a slower answer is abandoned.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A handle to Redis. Clones share the connection, which is closed with the last of them.
#[derive(Clone)]
pub struct Redis {
    state: watch::Receiver<LinkState>,
    on_failure: OnFailure,
}

impl Redis {
    /// Starts to connect, and returns at once: failures are reported to `on_failure`. Must be called within a
    /// Tokio runtime.
    #[must_use]
    pub fn start(server: RedisServer, on_failure: OnFailure) -> Self {
        let (sender, state) = watch::channel(LinkState::Connecting);
        tokio::spawn(connection::keep(server, sender, on_failure.clone()));
        Self { state, on_failure }
    }

    /// Sends a command and waits for its answer, until this time or for [`RESPONSE_TIMEOUT`].
    async fn send(&self, command: &Cmd, until: Instant) -> Result<Value, RedisFailure> {
        let link = timeout_at(until, self.link()).await.map_err(|_| RedisFailure::NotConnected)??;
        let answer_by = Instant::now() + RESPONSE_TIMEOUT;
        let mut connection = link.connection.clone();
        match timeout_at(answer_by.min(until), command.query_async(&mut connection)).await {
            Ok(Ok(value)) => {
                link.note_answer();
                Ok(value)
            }
            Ok(Err(error)) => {
                let failure = RedisFailure::from(error);
                if failure.asks_for_another_connection() {
                    link.give_up();
                }
                Err(failure)
            }
            Err(_) => {
                if answer_by <= until {
                    link.give_up();
                }
                Err(RedisFailure::TimedOut)
            }
        }
    }

    /// The connection. Waits while a connection is made for the first time or after a working one was lost, but
    /// not after an attempt failed.
    async fn link(&self) -> Result<Arc<Link>, RedisFailure> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| match state {
            LinkState::Connecting => false,
            LinkState::Up(link) => !link.is_given_up(),
            LinkState::Away => true,
        });
        match settled.await.as_deref() {
            Ok(LinkState::Up(link)) => Ok(link.clone()),
            _ => Err(RedisFailure::NotConnected),
        }
    }

    /// Reports a failure.
    fn reported<T>(&self, operation: Operation, result: Result<T, RedisFailure>) -> Result<T, RedisFailure> {
        result.inspect_err(|failure| (self.on_failure)(operation, failure))
    }
}
