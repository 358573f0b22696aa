//! Fuzzes the parser of credentials; run by `fuzz/run`.

#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code, reason = "shared with the other targets and with tests/api")]
mod checks;

libfuzzer_sys::fuzz_target!(|body: &[u8]| checks::verify_request(body));
