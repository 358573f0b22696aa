use super::*;
use crate::credentials::{Credentials, VerifyRequest};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

const SECRET: &str = "k3Jv9QpZ+x7Tn2Wd/R5mLc8Yb1Hf6Gs4Au0EiOqV";
const TOKEN: &str = "FwoGZXIvYXdzEPz//wEaDK7w2RtVnBx5yJ8hUiKqAcM3fLs9eDg6Tz1XoPmNbQvWrCjYlHkSa4GpZ0uFiEtOd==";

fn credentials(secret: &str, token: &str) -> Credentials {
    let body =
        serde_json::json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": secret, "Token": token});
    VerifyRequest::from_json(body.to_string().as_bytes()).unwrap().credentials
}

#[test]
fn a_text_without_secrets_stays_as_it_is() {
    let credentials = credentials("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjEXAMPLETOKEN");
    let redactor = Redactor::new(credentials.secrets());
    for text in [
        "",
        "Rate exceeded",
        "Check your AWS Secret Access Key",
        "é…",
        "EXAMPLEKEY",
        "16fc956c-311e-4199-bee1-1680236e9698",
        "MTp1cy1lYXN0LTE6UzoxNzY4MjYyNjI4MDAwOlI6YWJjZGVmZ2g=",
        "arn:aws:iam::123456789012:user/division_abc/Zhang@example.com=CLI",
        "100%25 &lt;b&gt; \\u0041 =C3=A9 0x41 & more &#233;",
    ] {
        assert_eq!(redactor.clean(text.to_owned()), text);
        assert!(redactor.is_clean(text), "{text}");
    }
}

#[test]
fn a_callers_name_may_share_a_short_word_with_a_made_up_secret() {
    let credentials = credentials("example", "");
    let redactor = Redactor::new(credentials.secrets());
    assert_eq!(redactor.clean_name("user/example-user".to_owned()), "user/example-user");
    assert_eq!(redactor.clean("user/example-user".to_owned()), "user/[redacted]-user");
    assert!(!redactor.is_clean("x-example"));
}

#[test]
fn the_text_around_a_secret_is_kept() {
    let credentials = credentials(SECRET, TOKEN);
    let redactor = Redactor::new(credentials.secrets());
    let text = format!("'{}' is no <{}{}>.", SECRET.to_uppercase(), &TOKEN[3..20], &TOKEN[30..50]);
    assert_eq!(redactor.clean(text), "'[redacted]' is no <[redacted]>.");
}

/// Inserts another text after every `length` characters of a text.
fn cut(text: &str, length: usize, by: &str) -> String {
    let pieces: Vec<_> = text.as_bytes().chunks(length).map(String::from_utf8_lossy).collect();
    pieces.join(by)
}

/// Each byte in another form.
fn each(text: &str, form: impl Fn(u8) -> String) -> String {
    text.bytes().map(form).collect()
}

type Spelling = (&'static str, fn(&str) -> String);

/// The spellings that SECURITY.md lists as covered.
const SPELLINGS: [Spelling; 28] = [
    ("upper case", |text| text.to_uppercase()),
    ("lower case", |text| text.to_lowercase()),
    ("cut by spaces", |text| cut(text, 4, " ")),
    ("cut by line breaks", |text| cut(text, 1, "\r\n")),
    ("cut by hyphens", |text| cut(text, 3, "-")),
    ("cut by tags", |text| cut(text, 5, "<>")),
    ("cut by spaces of no width", |text| cut(text, 2, "\u{200B}")),
    ("cut by references", |text| cut(text, 2, "&nbsp;")),
    ("cut by references without an end", |text| cut(text, 3, "&shy, ")),
    ("upper case cut by dots", |text| cut(&text.to_uppercase(), 4, ".")),
    ("base64", |text| BASE64_STANDARD.encode(text)),
    ("base64 for URLs", |text| BASE64_URL_SAFE_NO_PAD.encode(text)),
    ("base64 of more", |text| BASE64_STANDARD.encode(format!("x{text}"))),
    ("base64 of still more", |text| BASE64_STANDARD.encode(format!("xy{text}z"))),
    ("base64 in lines", |text| cut(&BASE64_STANDARD.encode(text), 10, "\n ")),
    ("base64 of upper case", |text| BASE64_STANDARD.encode(text.to_uppercase())),
    ("hexadecimal", |text| hex::encode(text)),
    ("hexadecimal in upper case", |text| hex::encode_upper(text)),
    ("hexadecimal with colons", |text| cut(&hex::encode(text), 2, ":")),
    ("hexadecimal behind a digit", |text| format!("f{}", hex::encode(text))),
    ("the escapes of URLs", |text| each(text, |byte| format!("%{byte:02X}"))),
    ("those of URLs, twice", |text| each(text, |byte| format!("%25{byte:02x}"))),
    ("those of XML", |text| each(text, |byte| format!("&#{byte};"))),
    ("those of XML in hexadecimal", |text| each(text, |byte| format!("&#x{byte:x};"))),
    ("those of JSON", |text| each(text, |byte| format!("\\u{byte:04x}"))),
    ("those of C", |text| each(text, |byte| format!("\\x{byte:02x}"))),
    ("numbers of C", |text| each(text, |byte| format!("0x{byte:02X}, "))),
    ("quoted-printable", |text| each(text, |byte| format!("={byte:02X}"))),
];

#[test]
fn a_secret_in_another_spelling_is_found_wherever_it_is() {
    let credentials = credentials(SECRET, TOKEN);
    let redactor = Redactor::new(credentials.secrets());
    for (name, spell) in SPELLINGS {
        for secret in [SECRET, TOKEN, &SECRET[1..17], &TOKEN[20..40], &TOKEN[41..59]] {
            for text in [spell(secret), format!("é: {}!", spell(secret)), format!("q {} z", spell(secret))] {
                assert!(!redactor.is_clean(&text), "{name}: {text}");
                let clean = redactor.clean(text.clone());
                assert!(redactor.is_clean(&clean), "{name}: {text} became {clean}");
            }
        }
    }
}

/// Texts of the maximum length of an answer, made of the characters that are searched most closely, with the
/// longest secrets. The test's own time limit is the assertion: comparing every position with every other would
/// take hours.
#[test]
fn the_longest_texts_and_secrets_take_no_more_time_than_their_length() {
    const LENGTH: usize = 64 * 1024;
    let repeated = |piece: &str, length: usize| piece.repeat(length / piece.len());
    for (secret, token, text) in [
        (repeated("a", 128), repeated("a", 8192), repeated("aaaaaaaaaaab", LENGTH)),
        (repeated("ab", 128), repeated("ab", 8192), repeated("ab", LENGTH)),
        (repeated("a", 128), repeated("aaaaaaaaaaac", 8192), repeated("aaaaaaaaaaa-", LENGTH)),
        (SECRET.to_owned(), repeated("%41&#65;", 8192), repeated("%2525252525", LENGTH)),
        (SECRET.to_owned(), repeated("&#x0", 8192), repeated("&#x00000000000", LENGTH)),
    ] {
        let credentials = credentials(&secret, &token);
        let redactor = Redactor::new(credentials.secrets());
        for _ in 0..20 {
            assert!(redactor.clean(text.clone()).len() <= LENGTH);
        }
    }
}

proptest! {
    #[test]
    fn no_part_of_a_secret_stays(
        secret in "[!-~]{12,128}", token in "[!-~]{12,600}",
        before in "\\PC{0,20}", after in "\\PC{0,20}", from in 0usize..600, length in SHORTEST_PART..600,
    ) {
        let credentials = credentials(&secret, &token);
        for whole in [&secret, &token] {
            let from = from % (whole.len() - SHORTEST_PART + 1);
            let part = &whole[from..whole.len().min(from + length)];
            let clean = Redactor::new(credentials.secrets()).clean(format!("{before}{part}{after}"));
            for start in 0..=whole.len() - SHORTEST_PART {
                prop_assert!(!clean.contains(&whole[start..start + SHORTEST_PART]), "{clean}");
            }
        }
    }

    #[test]
    fn no_part_of_a_secret_is_missed_in_another_spelling(
        secret in "[A-Za-z0-9]{12,60}", token in "[A-Za-z0-9/+]{60,600}", spelling in 0..SPELLINGS.len(),
        before in "[ -~]{0,20}", from in 0usize..600, length in 24usize..600,
    ) {
        let credentials = credentials(&secret, &token);
        let from = from % (token.len() - 24 + 1);
        let part = &token[from..token.len().min(from + length)];
        // The rest, without its ends, must have enough letters and digits.
        prop_assume!(alphanumeric(part.as_bytes()).count() >= SHORTEST_PART);
        let redactor = Redactor::new(credentials.secrets());
        for text in [SPELLINGS[spelling].1(&secret), format!("{before} {}", SPELLINGS[spelling].1(part))] {
            prop_assert!(!redactor.is_clean(&text), "{}: {text}", SPELLINGS[spelling].0);
        }
    }

    #[test]
    fn a_quick_look_misses_nothing_that_a_close_one_finds(
        secret in "[ab%&#;x4-6]{12,40}", text in "[ab%&#;x4-6= -]{0,200}",
    ) {
        let credentials = credentials(&secret, "");
        let redactor = Redactor::new(credentials.secrets());
        let found = redactor.has_part(text.bytes()) || redactor.spells(&text);
        prop_assert!(redactor.marks.may_tell(&text) || !found, "{text}");
    }
}
