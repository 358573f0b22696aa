//! Logs: where they go and what they may hold.

use super::log_format;
use crate::config::LogArgs;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, error};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The SDK and its HTTP stack name access keys in full at debug level and answers at trace level, and the exporter of
/// traces its collector's. These lines are dropped whatever the settings say.
const QUIET_CRATES: [&str; 6] = ["aws_", "hyper", "h2", "opentelemetry", "rustls", "tower_http"];

/// Starts logging to stdout.
///
/// # Errors
///
/// What the system says when there is no descriptor left for it.
pub fn init(args: &LogArgs) -> io::Result<()> {
    let may_pass = filter_fn(|metadata: &Metadata| {
        let quiet = QUIET_CRATES.iter().any(|name| metadata.target().starts_with(name));
        !quiet || *metadata.level() <= LevelFilter::INFO
    });
    let stdout = io::stdout();
    let ansi = stdout.is_terminal();
    // Each line is one write, and shorter than the 4 KiB that a pipe keeps together (PIPE_BUF in pipe(7)). std's own handle
    // would have all threads wait while one writes.
    let unlocked = File::from(stdout.as_fd().try_clone_to_owned()?);
    let layer = log_format::layer(args.log_format, ansi, unlocked);
    tracing_subscriber::registry().with(layer.with_filter(may_pass)).with(args.log.clone()).init();
    std::panic::set_hook(Box::new(|panic| {
        // Not the message: it may hold what the code was working on.
        let place = panic.location().map(ToString::to_string);
        error!(place, "panicked");
    }));
    Ok(())
}
