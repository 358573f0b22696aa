//! Logs, metrics and traces.

mod call_record;
pub(crate) mod last_line;
mod log_format;
mod log_throttle;
mod log_writer;
pub mod logs;
pub mod metrics;
pub mod otlp;
mod redis_watch;
pub(crate) mod spans;
pub(crate) mod trace;

pub(crate) use call_record::{
    CLIENT_CLOSED_REQUEST, CallRecord, SharedRecord, UNMATCHED, account_for_log, code_for_log,
    request_id_for_log, token_id_for_log,
};
pub(crate) use log_throttle::LogThrottle;
pub(crate) use log_writer::LogWriter;
pub(crate) use redis_watch::RedisWatch;
pub use spans::export;
