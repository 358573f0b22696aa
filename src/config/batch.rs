//! The limits of one batch (POST /verify/batch).

use super::parse;
use clap::Args;
use std::time::Duration;

/// The limits of one batch.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Batches")]
pub struct BatchArgs {
    /// The maximum number of lines in a batch
    #[arg(id = "batch_lines", long = "batch-lines", env = "STS_VERIFY_BATCH_LINES", default_value = "1000", value_name = "N", value_parser = parse::count)]
    pub lines: usize,
    /// The maximum number of lines of a batch that wait for STS at once
    #[arg(id = "batch_in_flight", long = "batch-in-flight", env = "STS_VERIFY_BATCH_IN_FLIGHT", default_value = "16", value_name = "N", value_parser = parse::count)]
    pub in_flight: usize,
    /// The time limit of a batch
    #[arg(id = "batch_deadline", long = "batch-deadline", env = "STS_VERIFY_BATCH_DEADLINE", default_value = "5m", value_name = "TIME", value_parser = parse::duration)]
    pub deadline: Duration,
}
