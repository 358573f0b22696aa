//! The reader of web identity tokens on any bytes; `fuzz/run` runs it for a while.

#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code, reason = "shared with the other targets and with tests/api")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::web_identity_token(input));
