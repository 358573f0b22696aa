//! The reader of credentials on any bytes: `cargo +nightly fuzz run question`.
//!
//! A finding is a panic, or a refusal whose text is longer than the longest that is made of the documented names, which
//! would mean that it holds some of the input.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sts_verify::credentials::VerifyRequest;

const LONGEST_REFUSAL: usize = 120;

fuzz_target!(|body: &[u8]| {
    if let Err(refusal) = VerifyRequest::from_json(body) {
        assert!(refusal.to_string().len() <= LONGEST_REFUSAL);
    }
});
