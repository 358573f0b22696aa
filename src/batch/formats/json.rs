//! JSON: credentials and proofs as POST /verify takes them, and the reports of scanners.

use super::finding::{Found, text};
use super::values::text::is_of_a_key;
use super::values::{Value, Values};
use super::{Reading, betterleaks, kingfisher, trufflehog};
use crate::batch::entry::{Emit, Item, Place, Question, ReadError};
use crate::credentials::{Posted, ValidationError};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};

pub(super) fn read(file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    let mut values = Values::new(input);
    while let Some((line, value)) = values.next()? {
        let place = || Place::line(file, line);
        let flow = match value {
            Value::Object => read_object(&String::from_utf8_lossy(values.text()), &place, emit),
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

/// Reads one object. What names a key is no report, whatever else is in it.
fn read_object(text: &str, place: &impl Fn() -> Place, emit: &mut Emit<'_>) -> ControlFlow<()> {
    if !is_report(text) {
        return read_posted(text, place, emit);
    }
    let Ok(report) = serde_json::from_str(text) else {
        return emit(Item::Unreadable(place(), ReadError::NotAnObject));
    };
    let findings = findings_of(&report);
    match posted(text, place()) {
        item @ Item::Entry(..) if findings.is_empty() => emit(item),
        _ => findings.into_iter().try_for_each(|finding| tell(finding, place, emit)),
    }
}

/// The findings in a finding, or in what is put around one or several; each `None` if it is not about AWS keys.
fn findings_of(report: &Json) -> Vec<Option<Vec<Found>>> {
    if let Some(findings) = report.get("findings").and_then(Json::as_array) {
        return findings.iter().flat_map(findings_of).collect();
    }
    match (report.get("rule"), report.get("finding")) {
        (None, Some(finding)) => findings_of(finding),
        (Some(rule), Some(finding)) => vec![kingfisher::read(rule, finding)],
        _ if report.get("DetectorName").is_some() => vec![trufflehog::read(report)],
        _ if text(report, "ruleid").and(betterleaks::secret_of(report)).is_some() => {
            vec![betterleaks::read(report)]
        }
        _ => Vec::new(),
    }
}

fn tell(finding: Option<Vec<Found>>, place: &impl Fn() -> Place, emit: &mut Emit<'_>) -> ControlFlow<()> {
    let Some(found) = finding else { return emit(Item::PassedOver) };
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

/// Whether an object is from a scanner's report, by the names of its members in any release. Credentials may have a member of
/// such a name, too.
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
    members.is_ok_and(|members| {
        NAMES.iter().any(|name| members.contains_key(*name))
            && !members.keys().any(|name| is_of_a_key(name.as_bytes()))
    })
}
