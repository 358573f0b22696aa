//! Logs, metrics and traces.

mod call_record;
mod log_format;
mod log_writer;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub(crate) mod spans;
pub(crate) mod trace;

pub(crate) use call_record::{CLIENT_CLOSED_REQUEST, CallRecord, UNMATCHED, plain};
pub(crate) use log_writer::LogWriter;
pub use spans::export;
