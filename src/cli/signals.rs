//! The signals of a command that runs until it is stopped.

use crate::server::Stop;
use nix::sys::signal::{SigSet, Signal};
use procfs::process::Process;
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::sync::{Notify, watch};
use tracing::info;

/// The exit code after a second signal: the process did not wait for its requests.
const EXIT_INTERRUPTED: i32 = 130;

/// The signals that have come since this exists; none is lost before somebody asks.
#[derive(Clone)]
pub(super) struct Signals {
    stop: watch::Receiver<Option<Stop>>,
    /// SIGHUP: files are to be read again.
    pub(super) hangup: Arc<Notify>,
}

impl Signals {
    /// Takes SIGTERM and SIGINT, of which the second ends the process at once, SIGHUP, and the signals that must not end it.
    /// It has to be called before there is a second thread.
    ///
    /// The signals are blocked, here and so in all threads that come later, and one thread waits for them. A handler is
    /// no alternative: while it is installed, signals are lost. Nor is Tokio: what hangs in its runtime must not keep
    /// the second signal from ending the process.
    pub(super) fn catch() -> io::Result<Self> {
        Self::catch_if(|_| true)
    }

    /// Takes them without those that the process was started to ignore: SIGHUP under `nohup`, SIGINT behind a script's `&`.
    pub(super) fn catch_unless_ignored() -> io::Result<Self> {
        let status = Process::myself().and_then(|process| process.status());
        let ignored = status.map_or(0, |status| status.sigign);
        Self::catch_if(|signal| ignored >> (signal as u32 - 1) & 1 == 0)
    }

    fn catch_if(is_taken: impl Fn(Signal) -> bool) -> io::Result<Self> {
        use Signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
        let taken =
            [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2].into_iter().filter(|signal| is_taken(*signal));
        let waited_for: SigSet = taken.collect();
        waited_for.thread_block()?;
        // A log file at the limit of file sizes (`ulimit -f`) is then an error of the write, as a full disk is.
        SigSet::from(SIGXFSZ).thread_block()?;
        let (stopping, stop) = watch::channel(None);
        let signals = Self { stop, hangup: Arc::default() };
        let hangup = signals.hangup.clone();
        let heed = move |signal| match signal {
            SIGTERM => stop_or_exit(&stopping, Stop::Terminate),
            SIGINT => stop_or_exit(&stopping, Stop::Interrupt),
            SIGHUP => hangup.notify_one(),
            other => info!(signal = other.as_str(), "this signal has no meaning here"),
        };
        let wait = move || {
            while let Ok(signal) = waited_for.wait() {
                heed(signal);
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
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
        std::process::exit(EXIT_INTERRUPTED);
    }
}
