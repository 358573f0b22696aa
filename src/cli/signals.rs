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

/// The signals that have arrived since this was made. None is lost before it is read.
#[derive(Clone)]
pub(super) struct Signals {
    stop: watch::Receiver<Option<Stop>>,
    /// SIGHUP: files are to be reloaded.
    pub(super) hangup: Arc<Notify>,
}

impl Signals {
    /// Receives SIGTERM and SIGINT, of which the second ends the process at once, SIGHUP, and the signals that
    /// must not end the process. Must be called before there is a second thread.
    ///
    /// The signals are blocked, here and so in all later threads, and one thread waits for them. A signal
    /// handler does not work: signals are lost while it is being installed. Tokio's does not work either: if
    /// the runtime hangs, the second signal must still end the process.
    pub(super) fn catch() -> io::Result<Self> {
        Self::catch_if(|_| true)
    }

    /// The same without the signals that the process was started to ignore: SIGHUP under `nohup`, SIGINT in a
    /// script's background job.
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
        // Without this, a log file at the file size limit (`ulimit -f`) would end the process. With it, the
        // write fails as on a full disk.
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

    /// Resolves at the first signal that ends the process, or at once if it has arrived already.
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
