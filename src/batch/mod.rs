//! Many credentials at once: reading lists of them, asking STS about each once, and saying what each is.
//!
//! ```text
//! formats ─▶ entry ─▶ runner   each distinct question once; the accounts take turns (queue), as fast as STS lets (pace)
//!                  ─▶ steps    whom to ask for a question, one after the other
//!                  ─▶ proofs   what is checked of a proof before STS is asked, and tokens, for which it is not
//!                  ─▶ ask      one attempt at one partition's STS, and what several partitions' answers come to
//!                  ─▶ known    the answers, for the places that are read later
//!                  ─▶ report   a row for each place
//! ```
//!
//! Nothing here knows a command line, a terminal or an HTTP status.

pub mod answer;
pub mod ask;
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
