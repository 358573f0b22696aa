//! The parser of credentials with arbitrary input: it does not panic, and its errors do not repeat the input.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use sts_verify::credentials::{NAMES, VerifyRequest};

/// Every name that an error can contain.
fn spellings() -> impl Iterator<Item = &'static str> + Clone {
    NAMES.iter().flat_map(|known| known.spellings.iter().copied()).chain(["region"])
}

/// Every possible error text. They consist only of known names.
static EVERY_REFUSAL: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let forms = [
        "must be 16 to 128 characters of A-Z, a-z, 0-9 and _",
        "must be at most 128 printable ASCII characters without spaces",
        "must be at most 16384 printable ASCII characters without spaces",
        "must be the name of an AWS region",
        "must be a string",
    ];
    let mut texts = BTreeSet::from([
        "The request body must be one JSON object.".to_owned(),
        "The request body must be one JSON object in UTF-8; it is in another encoding, such as PowerShell's UTF-16."
            .to_owned(),
    ]);
    for name in spellings() {
        texts.insert(format!("{name} is missing or empty."));
        texts.extend(forms.iter().map(|form| format!("{name} {form}.")));
        texts
            .extend(spellings().map(|other| {
                format!("{name} and {other} name the same value and differ; send one of them.")
            }));
    }
    texts
});

fn check(body: &[u8]) -> Result<(), TestCaseError> {
    if let Err(refusal) = VerifyRequest::from_json(body) {
        prop_assert!(EVERY_REFUSAL.contains(&refusal.to_string()), "{refusal}");
    }
    Ok(())
}

/// JSON values, some of which are well-formed, and all of which can be recognised in a text.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(|text| json!(format!("canary{text}"))),
        "[A-Z0-9]{16,40}".prop_map(Value::from),
        "[!-~]{1,200}".prop_map(Value::from),
        prop::collection::vec("canary[a-z]{3}", 0..3).prop_map(Value::from),
    ]
}

/// Known names in any case and with separators, names of objects around them, and other names.
fn name() -> impl Strategy<Value = String> {
    let known: Vec<&str> = spellings().collect();
    let known = (prop::sample::select(known), any::<u32>()).prop_map(|(name, bits)| respelled(name, bits));
    prop_oneof![4 => known, 1 => prop::sample::select(vec!["Credentials", "data"]).prop_map(str::to_owned), 1 => "canary.{0,8}"]
}

/// For 0 the unchanged name; otherwise with the case of letters changed and `_` or `-` inserted, according to
/// the bits.
fn respelled(name: &str, bits: u32) -> String {
    let mut respelled = String::new();
    for (number, letter) in name.chars().enumerate() {
        let bit = |place: usize| bits >> ((number + place) % 32) & 1 == 1;
        if bit(7) && bit(8) {
            respelled.push(if bit(9) { '_' } else { '-' });
        }
        respelled.push(if bit(0) { letter.to_ascii_uppercase() } else { letter });
    }
    respelled
}

/// Nested objects, deeper than the level that is searched.
fn object() -> impl Strategy<Value = Value> {
    let of = |value: BoxedStrategy<Value>| {
        prop::collection::btree_map(name(), value, 0..6).prop_map(|map| json!(map))
    };
    of(value().boxed().prop_recursive(5, 24, 6, move |inner| of(inner.boxed())).boxed())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&body)?;
    }

    #[test]
    fn any_text_is_read_or_refused(body in "\\PC{0,300}") {
        check(body.as_bytes())?;
    }

    #[test]
    fn any_object_is_read_or_refused_without_repeating_it(body in object()) {
        check(body.to_string().as_bytes())?;
    }

    #[test]
    fn an_object_cut_or_mangled_anywhere_is_read_or_refused(body in object(), at in 0usize..400, byte: u8) {
        let mut body = body.to_string().into_bytes();
        let at = at % body.len().max(1);
        check(&body[..at])?;
        if let Some(place) = body.get_mut(at) {
            *place = byte;
        }
        check(&body)?;
    }

    #[test]
    fn valid_values_are_read_unchanged_and_an_access_key_id_is_masked(
        access_key in "[A-Za-z0-9_]{16,128}",
        secret_key in "[!-~]{1,128}",
        token in "[!-~]{1,500}",
    ) {
        use secrecy::ExposeSecret as _;
        let body = json!({"stsAccessKey": access_key, "stsSecretKey": secret_key, "stsSessionToken": token});
        let question = VerifyRequest::from_json(body.to_string().as_bytes()).unwrap();
        let read = &question.credentials;
        prop_assert_eq!(read.access_key_id(), &access_key);
        prop_assert_eq!(read.secret_access_key().expose_secret(), &secret_key);
        prop_assert_eq!(read.session_token().unwrap().expose_secret(), &token);
        let masked = format!("{}…{}", &access_key[..4], &access_key[access_key.len() - 4..]);
        prop_assert_eq!(read.masked_access_key(), masked);
    }

    #[test]
    fn names_objects_and_other_members_make_no_difference(
        access_key in "[A-Z0-9]{20}",
        secret_key in "[!-~]{40}",
        token in "[!-~]{0,99}",
        tool in prop::sample::select(vec![
            ["stsAccessKey", "stsSecretKey", "stsSessionToken"],
            ["aws_access_key_id", "AWSSecretKey", "AWS_SECURITY_TOKEN"],
            ["AccessKeyId", "SecretAccessKey", "Token"],
            ["access_key", "SecretKey", "security_token"],
        ]),
        bits in any::<[u32; 3]>(),
        // `region` always counts as a value.
        containers in prop::collection::vec(name().prop_filter("not ours", |name| name != "region"), 0..=3),
        others in prop::collection::vec(("other.{0,8}", value()), 0..4),
    ) {
        use secrecy::ExposeSecret as _;
        let mut body = json!({});
        for ((name, bits), value) in tool.into_iter().zip(bits).zip([&access_key, &secret_key, &token]) {
            body[respelled(name, bits)] = json!(value);
        }
        for container in containers {
            body = json!({container: body});
            for (name, value) in &others {
                body[name] = value.clone();
            }
        }
        let read = VerifyRequest::from_json(body.to_string().as_bytes());
        let read = read.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?.credentials;
        prop_assert_eq!(read.access_key_id(), &access_key);
        prop_assert_eq!(read.secret_access_key().expose_secret(), &secret_key);
        prop_assert_eq!(read.session_token().map_or("", |token| token.expose_secret()), &token);
    }
}
