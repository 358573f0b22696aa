//! Betterleaks' findings. A key is in two of them or three: that of the rule, and those that it needs. A release calls the
//! latter `RequiredSets`, `ComponentSets`, `componentSets` or `component_sets`; each set is one combination. The secret is
//! the member `Secret` or `secret`, and from 2.0 on `match.value`.
//!
//! Which of them is the access key, the secret and the token is told by their form: rules are named by their users.

use super::fields::request;
use super::finding::{Found, member, text};
use crate::identity::{AccessKeyId, KeyKind};
use serde_json::Value;

/// A secret access key has 40 characters, and a session token more than a hundred.
const LONGEST_SECRET: usize = 64;

/// The keys in a finding; `None` for a finding of a rule that is not about AWS keys.
pub(super) fn read(finding: &Value) -> Option<Vec<Found>> {
    if !is_about_keys(text(finding, "ruleid")?) {
        return None;
    }
    let own = secret_of(finding).unwrap_or_default();
    let sets = member(finding, "requiredsets").or_else(|| member(finding, "componentsets"));
    let sets = sets.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if sets.is_empty() {
        return Some(vec![key_of(&[own])]);
    }
    Some(
        sets.iter()
            .map(|set| {
                let mut values = vec![own];
                secrets_in(set, &mut values);
                key_of(&values)
            })
            .collect(),
    )
}

/// Whether the name of a rule says that it finds AWS keys. Bedrock's API keys are no such keys.
pub(super) fn is_about_keys(rule: &str) -> bool {
    let rule = rule.to_ascii_lowercase();
    rule.contains("aws") && !rule.contains("bedrock")
}

/// The secret in a finding.
pub(super) fn secret_of(finding: &Value) -> Option<&str> {
    text(finding, "secret").or_else(|| text(member(finding, "match")?, "value"))
}

/// The secrets of the findings in a set.
fn secrets_in<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    if let Some(secret) = secret_of(value) {
        found.push(secret);
        return;
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| secrets_in(value, found)),
        Value::Object(members) => members.values().for_each(|value| secrets_in(value, found)),
        _ => {}
    }
}

/// The key that some values are, each told by its form.
pub(super) fn key_of(values: &[&str]) -> Found {
    let is_id = |value: &str| value.len() == 20 && AccessKeyId::new(value).kind() != KeyKind::Other;
    let find = |wanted: &dyn Fn(&str) -> bool| {
        values.iter().copied().find(|value| !value.is_empty() && wanted(value))
    };
    request(
        find(&is_id),
        find(&|value| !is_id(value) && value.len() <= LONGEST_SECRET),
        find(&|value| value.len() > LONGEST_SECRET),
    )
}
