//! The reader of credentials, given anything at all: it does not panic, and what it refuses it does not repeat.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use sts_verify::credentials::{CONTAINERS, SPELLINGS, VerifyRequest};

/// Every text that a refusal can have. They are made of the documented names alone.
fn every_refusal() -> BTreeSet<String> {
    let names: Vec<&str> = SPELLINGS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let forms = [
        "must be 16 to 128 characters of A-Z, a-z, 0-9 and _",
        "must be at most 128 printable ASCII characters without spaces",
        "must be at most 8192 printable ASCII characters without spaces",
        "must be the name of an AWS region",
        "must be a string",
    ];
    let mut texts = BTreeSet::from(["The request body must be one JSON object.".to_owned()]);
    for name in &names {
        texts.insert(format!("{name} is missing or empty."));
        texts.extend(forms.iter().map(|form| format!("{name} {form}.")));
        texts.extend(
            names
                .iter()
                .map(|other| format!("{name} and {other} give the same value twice; send one of them.")),
        );
    }
    texts
}

fn check(body: &[u8]) -> Result<(), TestCaseError> {
    if let Err(refusal) = VerifyRequest::from_json(body) {
        prop_assert!(every_refusal().contains(&refusal.to_string()), "{refusal}");
    }
    Ok(())
}

/// JSON values, of which some are of the right form and all of which can be told in a text.
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

/// Names of ours, of containers, and others.
fn name() -> impl Strategy<Value = String> {
    let known: Vec<&str> =
        SPELLINGS.iter().flat_map(|(_, names)| names.iter().copied()).chain(CONTAINERS).collect();
    prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => "canary.{0,8}"]
}

fn object() -> impl Strategy<Value = Value> {
    let flat = || prop::collection::btree_map(name(), value(), 0..8);
    let nested =
        prop::collection::btree_map(name(), prop_oneof![value(), flat().prop_map(|map| json!(map))], 0..8);
    prop_oneof![flat().prop_map(|map| json!(map)), nested.prop_map(|map| json!(map))]
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
    fn any_object_is_read_or_refused_without_a_word_of_it(body in object()) {
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
    fn good_values_are_read_as_they_stand_and_an_access_key_is_masked(
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
}
