//! Logs, metrics and traces.

mod call_record;
pub(crate) mod last_line;
mod log_format;
mod log_writer;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub(crate) mod spans;
pub(crate) mod trace;

pub(crate) use call_record::{
    CLIENT_CLOSED_REQUEST, CallRecord, SharedRecord, UNMATCHED, account_for_log, code_for_log,
    request_id_for_log,
};
pub(crate) use log_writer::LogWriter;
pub use spans::export;
