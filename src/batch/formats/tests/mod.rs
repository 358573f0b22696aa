//! Each format as tools write it, and with errors: every entry and every error with its line.

mod csv;
mod environments;
mod json;
mod profiles;
mod scanners;

use super::*;
use crate::credentials::Posted;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const OTHER: &str = "ASIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN+with/a+length+of+more+than+sixty-four+characters==";

/// The items, one line each: `LINE[name] id secret token region`, `LINE: error`, or `ignored`.
fn all(format: Format, input: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let flow = read(0, input, format, &mut |item| {
        all.push(match item {
            Item::Ignored => "ignored".to_owned(),
            Item::Unreadable(location, reason) => format!("{}: {reason}", location.line),
            Item::Entry(location, Posted::Proof(_)) => format!("{} proof", location.line),
            Item::Entry(location, Posted::Credentials(request)) => {
                let name = location.name.map(|name| format!("[{name}]")).unwrap_or_default();
                let credentials = &request.credentials;
                let secret = credentials.secret_access_key().expose_secret();
                let token = credentials.session_token().map_or("-", |token| token.expose_secret());
                let region = format!("{:?}", request.region).replace("Hints([])", "");
                format!("{}{name} {} {secret} {token} {region}", location.line, credentials.access_key_id())
                    .trim_end()
                    .to_owned()
            }
        });
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    all
}

fn auto(input: &str) -> Vec<String> {
    all(Format::Auto, input.as_bytes())
}

fn entry(line: u32) -> String {
    format!("{line} {ID} {SECRET} -")
}

#[test]
fn a_file_that_is_not_the_named_report_is_an_error() {
    for format in [Format::Trufflehog, Format::Betterleaks, Format::Kingfisher] {
        for (input, error) in [
            ("{\"a\": 1}", "1: stsAccessKey is missing or empty."),
            ("[{\"a\": 1}]", "1: stsAccessKey is missing or empty."),
            ("a,b\nc", "1: This is not a JSON object."),
        ] {
            assert_eq!(all(format, input.as_bytes())[0], error, "{format:?} {input}");
        }
    }
}

#[test]
fn a_value_that_is_too_long_costs_its_own_key_and_no_other() {
    let long = "x".repeat(MAX_ENTRY_BYTES);
    let section = format!("aws_access_key_id={ID}\naws_secret_access_key={SECRET}\n");
    let too_long = |line: u32| format!("{line}: The entry is longer than 1 MiB.");
    let file = format!("[a]\n{section}aws_session_token={long}\n[b]\n{section}");
    assert_eq!(auto(&file), [too_long(4), format!("5[b] {ID} {SECRET} -")]);
    let file = format!("{section}aws_session_token={long}\n\n{section}");
    assert_eq!(auto(&file), [too_long(3), entry(5)]);
    let file = format!("export AWS_SESSION_TOKEN={long}\n{section}\n# next\n{section}");
    assert_eq!(auto(&file), [too_long(1), entry(6)]);
    let file =
        format!("{{\"findings\": [],\n\"AccessKeyId\": \"{ID}\", \"SecretAccessKey\": \"{SECRET}{long}\"}}");
    assert_eq!(auto(&file), [too_long(1)]);
}

#[test]
fn lines_may_end_with_cr_alone() {
    for text in [
        format!("sep=;\nAccess key ID;Secret access key\n{ID};{SECRET}\n"),
        format!("\nUser,Access key ID,Secret access key\nann,{ID},{SECRET}\n"),
        format!("# it's\n\nAWS_ACCESS_KEY_ID={ID} # x\nAWS_SECRET_ACCESS_KEY={SECRET}\n"),
    ] {
        assert_eq!(auto(&text.replace('\n', "\r")), [entry(3)], "{text}");
    }
    let profile = format!("\r[a]\raws_access_key_id={ID}\raws_secret_access_key={SECRET}");
    assert_eq!(auto(&profile), [format!("2[a] {ID} {SECRET} -")]);
    let csv = format!("Access key ID,Secret access key\r{ID},{SECRET}\r{ID},{SECRET}");
    assert_eq!(all(Format::Csv, csv.as_bytes()), [entry(2), entry(3)]);
}

#[test]
fn byte_order_marks_and_utf_16_are_accepted() {
    let text = format!("Access key ID,Secret access key\r\n{ID},{SECRET}\r\n");
    let marked = format!("\u{feff}{text}");
    let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for input in [marked.as_bytes(), &little, &big] {
        assert_eq!(all(Format::Auto, input), [entry(2)]);
        assert_eq!(all(Format::Csv, input), [entry(2)]);
    }
    assert_eq!(all(Format::Auto, &little[2..]), ["1: The file is not text. UTF-16 needs a byte order mark."]);
    assert_eq!(
        all(Format::Ini, b"\x7fELF\0\0"),
        ["1: The file is not text. UTF-16 needs a byte order mark."]
    );
}

#[test]
fn an_unrecognised_format_is_reported_once() {
    assert_eq!(auto(""), Vec::<String>::new());
    assert_eq!(auto("\n# nothing\n\n"), Vec::<String>::new());
    assert_eq!(
        auto("Dear all,\nkeys are in the safe.\n"),
        ["1: The format is not recognised. Name it with --format."]
    );
    assert_eq!(auto("user,password\nann,x\n"), ["1: The format is not recognised. Name it with --format."]);
}

#[test]
fn a_comment_in_another_encoding_does_no_harm_and_a_value_is_rejected() {
    let input = [b"# cl\xe9\nAWS_ACCESS_KEY_ID=", ID.as_bytes(), b"\nAWS_SECRET_ACCESS_KEY=\xe9x\n"].concat();
    assert_eq!(
        all(Format::Auto, &input),
        ["2: AWS_SECRET_ACCESS_KEY must be at most 128 printable ASCII characters without spaces."]
    );
}

proptest! {
    #[test]
    fn no_input_makes_a_reader_panic_or_repeat_it(
        input in proptest::collection::vec(any::<u8>(), 0..300), pick in 0_usize..9, cut in 0_usize..400,
    ) {
        let format = Format::value_variants()[pick];
        all(format, &input);
        let good = format!("[p]\naws_access_key_id={ID}\n{{\"AccessKeyId\":\"{ID}\",\"SecretAccessKey\":\"{SECRET}\"}}\nAccess key ID,Secret access key\n\"{ID}\",\"{SECRET}\"\n");
        let cut = cut % (good.len() + 1);
        let mixed = [&good.as_bytes()[..cut], &input[..], &good.as_bytes()[cut..]].concat();
        for line in all(format, &mixed) {
            if line.contains(": ") {
                prop_assert!(!line.contains(&SECRET[..12]), "{line}");
            }
        }
    }
}
