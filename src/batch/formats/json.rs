//! JSON: credentials and proofs as for POST /verify, and the reports of scanners.

use super::finding::{FoundKey, text};
use super::values::text::is_of_a_key;
use super::values::{Value, Values};
use super::{Reading, betterleaks, kingfisher, trufflehog};
use crate::batch::entry::{Emit, Item, Location, ReadError};
use crate::credentials::{Posted, ValidationError};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::ControlFlow::{self, Continue};

pub(super) fn read(file: u32, input: impl BufRead, emit: &mut Emit<'_>) -> Reading {
    let mut values = Values::new(input);
    while let Some((line, value)) = values.next()? {
        let location = || Location::line(file, line);
        let flow = match value {
            Value::Object => read_object(&String::from_utf8_lossy(values.text()), &location, emit),
            Value::TooLong => emit(Item::Unreadable(location(), ReadError::TooLong)),
            Value::CutOff => emit(Item::Unreadable(location(), ReadError::CutOff)),
            Value::Other => emit(Item::Unreadable(location(), ReadError::NotAnObject)),
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(Continue(()))
}

/// Reads one object. An object that names a key is not a report, whatever else it contains.
fn read_object(text: &str, location: &impl Fn() -> Location, emit: &mut Emit<'_>) -> ControlFlow<()> {
    if !is_report(text) {
        return read_posted(text, location, emit);
    }
    let Ok(report) = serde_json::from_str(text) else {
        return emit(Item::Unreadable(location(), ReadError::NotAnObject));
    };
    let findings = findings_of(&report);
    match posted(text, location()) {
        item @ Item::Entry(..) if findings.is_empty() => emit(item),
        _ => findings.into_iter().try_for_each(|finding| emit_finding(finding, location, emit)),
    }
}

/// The findings in a finding, or in an object that contains one or several. `None` for a finding that is not
/// about AWS keys.
fn findings_of(report: &Json) -> Vec<Option<Vec<FoundKey>>> {
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

fn emit_finding(
    finding: Option<Vec<FoundKey>>,
    location: &impl Fn() -> Location,
    emit: &mut Emit<'_>,
) -> ControlFlow<()> {
    let Some(found) = finding else { return emit(Item::Ignored) };
    found.into_iter().try_for_each(|one| {
        emit(match one {
            Ok(request) => Item::Entry(location(), Posted::Credentials(request)),
            Err(reason) => Item::Unreadable(location(), reason),
        })
    })
}

/// Reads an object as for POST /verify. If it contains no key, it may contain a list of keys, as printed by
/// `aws iam list-access-keys`.
fn read_posted(text: &str, location: &impl Fn() -> Location, emit: &mut Emit<'_>) -> ControlFlow<()> {
    let item = posted(text, location());
    if !lacks_a_key(&item) {
        return emit(item);
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let lists = members.values().filter_map(|value| serde_json::from_str::<Vec<&RawValue>>(value.get()).ok());
    let listed = lists.flatten().map(|element| posted(element.get(), location()));
    let listed: Vec<Item> = listed.filter(is_about_a_key).collect();
    if listed.is_empty() { emit(item) } else { listed.into_iter().try_for_each(emit) }
}

/// The documented name of the access key, which every request with credentials has.
const ACCESS_KEY: &str = "stsAccessKey";

fn lacks_a_key(item: &Item) -> bool {
    matches!(item, Item::Unreadable(_, ReadError::Values(ValidationError::Missing(ACCESS_KEY))))
}

fn is_about_a_key(item: &Item) -> bool {
    !lacks_a_key(item) && !matches!(item, Item::Unreadable(_, ReadError::NotAnObject))
}

fn posted(text: &str, location: Location) -> Item {
    match Posted::from_json(text.as_bytes()) {
        Ok(Posted::Credentials(request)) => Item::Entry(location, Posted::Credentials(request)),
        Ok(Posted::Proof(proof)) => Item::Entry(location, Posted::Proof(proof)),
        Err(error) => Item::Unreadable(location, error.into()),
    }
}

/// Whether an object is from a scanner's report, judged by the names of its members in all releases.
/// Credentials may have a member with such a name, too.
fn is_report(text: &str) -> bool {
    const NAMES: [&str; 10] = [
        "DetectorName",
        "RuleID",
        "ruleID",
        "ruleId",
        "rule_id",
        "finding",
        "findings",
        // Follows the findings.
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
