//! Logs, metrics and traces.

mod call_record;
mod log_format;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub(crate) mod spans;
pub(crate) mod trace;

pub(crate) use call_record::{
    CLIENT_CLOSED_REQUEST, CallRecord, UNMATCHED, account_for_log, code_for_log, request_id_for_log,
};
pub use spans::export;
