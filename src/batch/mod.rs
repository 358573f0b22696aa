//! Verifies many credentials at once: reads lists of them, calls STS once for each, and reports the results.
//!
//! ```text
//! formats ─▶ entry ─▶ runner   each distinct request once; accounts take turns (queue); rate control (pace)
//!                  ─▶ steps    the calls for a request, one after the other
//!                  ─▶ proofs   the checks of a proof before STS is called, and the verification of tokens
//!                  ─▶ attempt  one call to a partition's STS; combines the answers of several partitions
//!                  ─▶ known    the answers, for the locations that are read later
//!                  ─▶ report   a row for each location
//! ```
//!
//! Nothing here knows a command line, a terminal or an HTTP status.

pub mod answer;
pub mod attempt;
pub mod entry;
pub mod formats;
mod known;
mod pace;
pub mod proofs;
mod queue;
pub mod report;
pub mod resume;
pub mod runner;
mod steps;
