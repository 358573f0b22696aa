//! What holds for any bytes. Each check is run by the fuzz target of its name, on inputs that libFuzzer makes up, and by
//! tests/api on the inputs in `corpus/NAME`.

use std::ops::ControlFlow;
use sts_verify::batch::entry::Item;
use sts_verify::batch::formats::{Format, read};
use sts_verify::credentials::VerifyRequest;

/// Panics if something does not hold for these bytes.
pub type Check = fn(&[u8]);

/// All checks, by the names of their targets.
pub const CHECKS: [(&str, Check); 2] = [("list", list), ("verify_request", verify_request)];

/// The longest text that is made of documented names and numbers.
const LONGEST_REFUSAL: usize = 120;

/// The reader of credentials does not panic, and the text of an error is too short to hold the input.
pub fn verify_request(body: &[u8]) {
    if let Err(error) = VerifyRequest::from_json(body) {
        assert!(error.to_string().len() <= LONGEST_REFUSAL);
    }
}

const FORMATS: [Format; 9] = [
    Format::Auto,
    Format::Json,
    Format::Ndjson,
    Format::Ini,
    Format::Env,
    Format::Csv,
    Format::Trufflehog,
    Format::Betterleaks,
    Format::Kingfisher,
];

/// No reader panics, each item has a line that is there, and the text of a refusal is too short to hold the input.
pub fn list(input: &[u8]) {
    let lines = u32::try_from(input.split(|byte| *byte == b'\n').count()).unwrap();
    for format in FORMATS {
        let _ = read(0, input, format, &mut |item| {
            let place = match item {
                Item::PassedOver => return ControlFlow::Continue(()),
                Item::Entry(place, _) => place,
                Item::Unreadable(place, reason) => {
                    assert!(reason.to_string().len() <= LONGEST_REFUSAL);
                    place
                }
            };
            // UTF-16 has more line ends than bytes of theirs.
            assert!(
                (1..=lines.max(1)).contains(&place.line)
                    || input.starts_with(b"\xff\xfe")
                    || input.starts_with(b"\xfe\xff")
            );
            ControlFlow::Continue(())
        });
    }
}
