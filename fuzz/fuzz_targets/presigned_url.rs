//! Fuzzes the parser of presigned URLs and EKS tokens; run by `fuzz/run`.

#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code, reason = "shared with the other targets and with tests/api")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::presigned_url(input));
