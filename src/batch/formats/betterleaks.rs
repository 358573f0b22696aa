//! Betterleaks' findings. The values of a key are in two or three of them: the finding of the rule, and those
//! that the rule requires. Depending on the release, the latter are in `RequiredSets`, `ComponentSets`,
//! `componentSets` or `component_sets`; each set is one combination. The secret is the member `Secret` or
//! `secret`, and from 2.0 on `match.value`.
//!
//! The access key, the secret and the token are recognised by their form, because users choose the names of
//! rules.

use super::fields::request;
use super::finding::{FoundKey, member, text};
use crate::identity::{AccessKeyId, KeyKind};
use serde_json::Value;

/// A secret access key has 40 characters, and a session token more than a hundred.
const LONGEST_SECRET: usize = 64;

/// The keys in a finding. `None` if the finding's rule is not about AWS keys.
pub(super) fn read(finding: &Value) -> Option<Vec<FoundKey>> {
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

/// Whether a rule finds AWS keys, judged by its name. Bedrock's API keys are not AWS keys.
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

/// The key that these values make up. Each value is recognised by its form.
pub(super) fn key_of(values: &[&str]) -> FoundKey {
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
