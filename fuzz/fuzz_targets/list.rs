//! The readers of lists on any bytes.

#![no_main]

#[path = "../list_checks.rs"]
mod list_checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| list_checks::list(input));
