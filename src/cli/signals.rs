//! The signals of a command that runs until it is stopped.

use crate::server::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals as Caught;
use signal_hook::{flag, low_level};
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::sync::{Notify, watch};
use tracing::info;

/// The exit code after a second signal: the process did not wait for its requests.
const EXIT_INTERRUPTED: i32 = 130;

/// The signals that are caught from the moment this exists; what came before anybody asks is remembered.
#[derive(Clone)]
pub(super) struct Signals {
    stop: watch::Receiver<Option<Stop>>,
    /// SIGHUP: files are to be read again.
    pub(super) hangup: Arc<Notify>,
}

impl Signals {
    /// Catches SIGTERM and SIGINT, of which the second ends the process at once, SIGHUP, and the signals that must not
    /// end it. A thread of its own heeds them: neither does this need a runtime, nor can anything that hangs in one keep
    /// the second signal from ending the process.
    pub(super) fn catch() -> io::Result<Self> {
        let mut caught = Caught::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
        // A log file at the limit of file sizes (`ulimit -f`) is then an error of the write, as a full disk is.
        flag::register(SIGXFSZ, Arc::default())?;
        let (stopping, stop) = watch::channel(None);
        let signals = Self { stop, hangup: Arc::default() };
        let hangup = signals.hangup.clone();
        let heed = move |signal| match signal {
            SIGTERM => stop_or_exit(&stopping, Stop::Terminate),
            SIGINT => stop_or_exit(&stopping, Stop::Interrupt),
            SIGHUP => hangup.notify_one(),
            other => info!(signal = low_level::signal_name(other), "this signal has no meaning here"),
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || caught.forever().for_each(heed))?;
        Ok(signals)
    }

    /// Resolves at the first signal that is to end the process, or at once if it has come already.
    pub(super) async fn stop(mut self) -> Stop {
        let stop = self.stop.wait_for(Option::is_some).await;
        stop.ok().and_then(|stop| *stop).unwrap_or(Stop::Interrupt)
    }
}

fn stop_or_exit(stopping: &watch::Sender<Option<Stop>>, stop: Stop) {
    if stopping.send_replace(Some(stop)).is_some() {
        low_level::exit(EXIT_INTERRUPTED);
    }
}
