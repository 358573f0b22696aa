//! Logs: where they go and what they may hold.

use super::log_format;
use super::log_writer::LogWriter;
use crate::config::LogArgs;
use prometheus_client::metrics::counter::Counter;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, error};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The SDK and its HTTP stack name access keys in full at debug level and answers at trace level, and the exporter of
/// traces its collector's. These lines are dropped whatever the settings say.
const QUIET_CRATES: [&str; 6] = ["aws_", "hyper", "h2", "opentelemetry", "rustls", "tower_http"];

/// How long the last lines may take at the stop. With the delay, the draining and the last traces before it, it stays below
/// the 30 s after which Kubernetes and ECS kill.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// There is one log a process.
static LOG: OnceLock<Arc<LogWriter>> = OnceLock::new();

static DROPPED_LINES: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Starts logging to stdout. Nothing that logs ever waits for whoever reads the lines.
///
/// # Errors
///
/// What the system says when there is no descriptor or thread left for it.
pub fn init(args: &LogArgs) -> io::Result<()> {
    let may_pass = filter_fn(|metadata: &Metadata| {
        let quiet = QUIET_CRATES.iter().any(|name| metadata.target().starts_with(name));
        !quiet || *metadata.level() <= LevelFilter::INFO
    });
    let stdout = io::stdout();
    let ansi = stdout.is_terminal();
    // Not std's own handle, which has a buffer that would be flushed at the exit and wait there.
    let unbuffered = File::from(stdout.as_fd().try_clone_to_owned()?);
    let writer = LogWriter::start(unbuffered, dropped_lines())?;
    let writer = LOG.get_or_init(|| writer).clone();
    let layer = log_format::layer(args.log_format, ansi, writer);
    tracing_subscriber::registry().with(layer.with_filter(may_pass)).with(args.log.clone()).init();
    std::panic::set_hook(Box::new(|panic| {
        // Not the message: it may hold what the code was working on.
        let place = panic.location().map(ToString::to_string);
        error!(place, "panicked");
    }));
    Ok(())
}

/// Writes a text on stdout, in its order with the lines of the log and as these are written.
pub fn print(text: &str) {
    if let Some(log) = LOG.get() {
        log.push(format!("{text}\n").as_bytes());
    }
}

/// Waits until all lines are written, but a second at most.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(FLUSH_TIMEOUT);
    }
}

/// How many lines were dropped since the start of the process.
pub(super) fn dropped_lines() -> Counter {
    DROPPED_LINES.clone()
}
