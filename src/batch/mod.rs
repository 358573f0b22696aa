//! Many credentials at once: reading lists of them, asking STS about each once, and saying what each is.

pub mod answer;
pub mod entry;
pub mod formats;
mod known;
mod pace;
mod queue;
