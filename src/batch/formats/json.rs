//! JSON: credentials and proofs as POST /verify takes them, and the reports of scanners.

use super::values::{Value, Values};
use super::{Format, Reading, betterleaks, kingfisher, proof, trufflehog};
use crate::batch::entry::{Emit, Item, Place, Question, ReadError};
use crate::credentials::{ValidationError, VerifyRequest};
use serde::de::IgnoredAny;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};

/// What a finding of a scanner comes to.
pub(super) type Found = Result<VerifyRequest, ReadError>;

pub(super) fn read(file: u32, input: impl BufRead, format: Format, emit: &mut Emit<'_>) -> Reading {
    let mut values = Values::new(input);
    while let Some((line, value)) = values.next()? {
        let place = || Place::line(file, line);
        let flow = match value {
            Value::Object => read_object(&String::from_utf8_lossy(values.text()), format, &place, emit),
            Value::TooLong => emit(Item::Unreadable(place(), ReadError::TooLong)),
            Value::CutOff => emit(Item::Unreadable(place(), ReadError::CutOff)),
            Value::Other => emit(Item::Unreadable(place(), ReadError::NotAnObject)),
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(Continue(()))
}

/// Reads one object. A report of any scanner may be told to be JSON: it is.
fn read_object(
    text: &str,
    format: Format,
    place: &impl Fn() -> Place,
    emit: &mut Emit<'_>,
) -> ControlFlow<()> {
    let format = match format {
        Format::Auto | Format::Json | Format::Ndjson => scanner_of(text).unwrap_or(format),
        named => named,
    };
    let read: fn(&Json) -> Option<Vec<Found>> = match format {
        Format::Trufflehog => trufflehog::read,
        Format::Betterleaks => betterleaks::read,
        Format::Kingfisher => kingfisher::read,
        _ => return emit(credentials(text, place())),
    };
    let Ok(finding) = serde_json::from_str(text) else {
        return emit(Item::Unreadable(place(), ReadError::NotAnObject));
    };
    let Some(found) = read(&finding) else { return emit(Item::PassedOver) };
    for one in found {
        emit(match one {
            Ok(request) => Item::Entry(place(), Question::Credentials(request)),
            Err(reason) => Item::Unreadable(place(), reason),
        })?;
    }
    Continue(())
}

fn credentials(text: &str, place: Place) -> Item {
    match VerifyRequest::from_json(text.as_bytes()) {
        Ok(request) => Item::Entry(place, Question::Credentials(request)),
        Err(ValidationError::Missing(_)) if proof::is_one(text) => {
            Item::Entry(place, Question::Proof(proof::keep(text)))
        }
        Err(error) => Item::Unreadable(place, error.into()),
    }
}

/// The scanner whose report an object is from, by the names of its members in any release.
fn scanner_of(text: &str) -> Option<Format> {
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_str(text).ok()?;
    let has = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
    if has(&["DetectorName"]) && has(&["Raw", "RawV2", "SecretParts"]) {
        Some(Format::Trufflehog)
    } else if has(&["RuleID", "ruleID", "ruleId", "rule_id"]) {
        Some(Format::Betterleaks)
    } else {
        let is_record = has(&["rule"]) && has(&["finding"]);
        (is_record || has(&["findings", "access_map", "audit"])).then_some(Format::Kingfisher)
    }
}

/// A member by its name, without regard to case and `_`.
pub(super) fn member<'a>(object: &'a Json, folded: &str) -> Option<&'a Json> {
    let fold = |name: &str| name.replace('_', "").to_ascii_lowercase();
    object.as_object()?.iter().find(|(name, _)| fold(name) == folded).map(|(_, value)| value)
}

/// A member that is a text.
pub(super) fn text<'a>(object: &'a Json, folded: &str) -> Option<&'a str> {
    member(object, folded)?.as_str()
}
