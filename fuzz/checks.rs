//! What holds for any bytes. Each check is run by the fuzz target of its name, on inputs that libFuzzer makes up, and by
//! tests/api on the inputs in `corpus/NAME`.

use sts_verify::credentials::VerifyRequest;

/// Panics if something does not hold for these bytes.
pub type Check = fn(&[u8]);

/// All checks, by the names of their targets.
pub const CHECKS: [(&str, Check); 1] = [("verify_request", verify_request)];

/// The longest text that is made of documented names and numbers.
const LONGEST_REFUSAL: usize = 120;

/// The reader of credentials does not panic, and the text of an error is too short to hold the input.
pub fn verify_request(body: &[u8]) {
    if let Err(error) = VerifyRequest::from_json(body) {
        assert!(error.to_string().len() <= LONGEST_REFUSAL);
    }
}
