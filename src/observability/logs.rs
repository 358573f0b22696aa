//! Logs: their output, and the limits of their contents.

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

/// The SDK and its HTTP stack log whole access keys at debug level and answers at trace level, and the exporter
/// of traces logs those of its collector. These lines are dropped in all settings.
const QUIET_CRATES: [&str; 6] = ["aws_", "hyper", "h2", "opentelemetry", "rustls", "tower_http"];

/// The time limit for the last lines at the stop. With the delay, the draining and the last traces before it,
/// the total is below the 30 s after which Kubernetes and ECS kill the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// There is one log per process.
static LOG: OnceLock<Arc<LogWriter>> = OnceLock::new();

static DROPPED_LINES: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Starts logging to stdout. Code that logs never waits for the reader of the log.
///
/// # Errors
///
/// The system has no descriptor or thread left for it.
pub fn init(args: &LogArgs) -> io::Result<()> {
    let is_allowed = filter_fn(|metadata: &Metadata| {
        let quiet = QUIET_CRATES.iter().any(|name| metadata.target().starts_with(name));
        !quiet || *metadata.level() <= LevelFilter::INFO
    });
    let stdout = io::stdout();
    let ansi = stdout.is_terminal();
    // Not std's own handle, whose buffer would be flushed at the exit and could block there.
    let unbuffered = File::from(stdout.as_fd().try_clone_to_owned()?);
    let writer = LogWriter::start(unbuffered, dropped_lines())?;
    let writer = LOG.get_or_init(|| writer).clone();
    let layer = log_format::layer(args.log_format, ansi, writer);
    tracing_subscriber::registry().with(layer.with_filter(is_allowed)).with(args.log.clone()).init();
    std::panic::set_hook(Box::new(|panic| {
        // Without the message, which may contain the data that the code was working on.
        let place = panic.location().map(ToString::to_string);
        error!(place, "panicked");
    }));
    Ok(())
}

/// Writes a text on stdout, in order with the lines of the log.
pub fn print(text: &str) {
    if let Some(log) = LOG.get() {
        log.push(format!("{text}\n").as_bytes());
    }
}

/// Waits until all lines are written, but at most one second.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(FLUSH_TIMEOUT);
    }
}

/// The number of dropped lines since the start of the process.
pub(super) fn dropped_lines() -> Counter {
    DROPPED_LINES.clone()
}
