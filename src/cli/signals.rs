//! The signals that end the process.

use crate::server::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The exit code after a second signal: the process did not wait for its requests.
const EXIT_INTERRUPTED: i32 = 130;

/// The two signals that end the process, caught from the moment this exists.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.interrupt.recv() => Stop::Interrupt,
        }
    }

    /// Resolves at the first signal; the second ends the process at once.
    pub(super) async fn into_stop(mut self) -> Stop {
        let (first, stop) = oneshot::channel();
        tokio::spawn(async move {
            // The receiver is only gone when the server has ended, and with it the process.
            let _ = first.send(self.next().await);
            self.next().await;
            std::process::exit(EXIT_INTERRUPTED);
        });
        stop.await.unwrap_or(Stop::Interrupt)
    }
}
