//! JSON: credentials and proofs as POST /verify takes them, and the reports of scanners.

use super::finding::text;
use super::values::{Value, Values};
use super::{Format, Reading, betterleaks, kingfisher, trufflehog};
use crate::batch::entry::{Emit, Item, Place, Question, ReadError};
use crate::credentials::{Posted, ValidationError};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};

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

/// Reads one object. Whichever scanner a report is said to be of, it is read by its members.
fn read_object(
    text: &str,
    format: Format,
    place: &impl Fn() -> Place,
    emit: &mut Emit<'_>,
) -> ControlFlow<()> {
    let named = matches!(format, Format::Trufflehog | Format::Betterleaks | Format::Kingfisher);
    if !named && !is_report(text) {
        return read_posted(text, place, emit);
    }
    match serde_json::from_str(text) {
        Ok(report) => read_report(&report, place, emit),
        Err(_) => emit(Item::Unreadable(place(), ReadError::NotAnObject)),
    }
}

/// Reads a finding, or what is put around one or several. What holds none says nothing of keys.
fn read_report(report: &Json, place: &impl Fn() -> Place, emit: &mut Emit<'_>) -> ControlFlow<()> {
    if let Some(findings) = report.get("findings").and_then(Json::as_array) {
        return findings.iter().try_for_each(|finding| read_report(finding, place, emit));
    }
    let found = match (report.get("rule"), report.get("finding")) {
        (None, Some(finding)) => return read_report(finding, place, emit),
        (Some(rule), Some(finding)) => kingfisher::read(rule, finding),
        _ if report.get("DetectorName").is_some() => trufflehog::read(report),
        _ if text(report, "ruleid").is_some() => betterleaks::read(report),
        _ => return Continue(()),
    };
    let Some(found) = found else { return emit(Item::PassedOver) };
    found.into_iter().try_for_each(|one| {
        emit(match one {
            Ok(request) => Item::Entry(place(), Question::Credentials(request)),
            Err(reason) => Item::Unreadable(place(), reason),
        })
    })
}

/// Reads what POST /verify takes. Where that lacks a key, it may be a list under a name, as `aws iam list-access-keys` prints.
fn read_posted(text: &str, place: &impl Fn() -> Place, emit: &mut Emit<'_>) -> ControlFlow<()> {
    let item = posted(text, place());
    if !lacks_a_key(&item) {
        return emit(item);
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let lists = members.values().filter_map(|value| serde_json::from_str::<Vec<&RawValue>>(value.get()).ok());
    let listed = lists.flatten().map(|element| posted(element.get(), place()));
    let listed: Vec<Item> = listed.filter(is_about_a_key).collect();
    if listed.is_empty() { emit(item) } else { listed.into_iter().try_for_each(emit) }
}

/// The documented name of what every request with credentials has.
const ACCESS_KEY: &str = "stsAccessKey";

fn lacks_a_key(item: &Item) -> bool {
    matches!(item, Item::Unreadable(_, ReadError::Values(ValidationError::Missing(ACCESS_KEY))))
}

fn is_about_a_key(item: &Item) -> bool {
    !lacks_a_key(item) && !matches!(item, Item::Unreadable(_, ReadError::NotAnObject))
}

fn posted(text: &str, place: Place) -> Item {
    match Posted::from_json(text.as_bytes()) {
        Ok(Posted::Credentials(request)) => Item::Entry(place, Question::Credentials(request)),
        Ok(Posted::Proof(proof)) => Item::Entry(place, Question::Proof(proof)),
        Err(error) => Item::Unreadable(place, error.into()),
    }
}

/// Whether an object is from a scanner's report, by the names of its members in any release.
fn is_report(text: &str) -> bool {
    const NAMES: [&str; 10] = [
        "DetectorName",
        "RuleID",
        "ruleID",
        "ruleId",
        "rule_id",
        "finding",
        "findings",
        // What comes after the findings.
        "access_map",
        "audit",
        "scan",
    ];
    let members: serde_json::Result<BTreeMap<String, &RawValue>> = serde_json::from_str(text);
    members.is_ok_and(|members| NAMES.iter().any(|name| members.contains_key(*name)))
}
