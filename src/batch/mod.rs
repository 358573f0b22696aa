//! Many credentials at once: reading lists of them, asking STS about each once, and saying what each is.

pub mod entry;
pub mod formats;
