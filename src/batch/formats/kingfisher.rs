//! Kingfisher's findings, each with its rule. One of two or three values is the finding's `snippet`; the others
//! are in its `validate_command` as `--var NAME='…'`, and in newer releases also in `dependent_captures`
//! (`src/reporter.rs`). The snippet is the secret, the token or, with the rules of 2.x, the access key. Each
//! value is recognised by its form.

use super::betterleaks::{is_about_keys, key_of};
use super::finding::FoundKey;
use super::words::{Word, words};
use serde_json::Value;

/// The key in a finding. `None` if the finding's rule is not about AWS keys.
pub(super) fn read(rule: &Value, finding: &Value) -> Option<Vec<FoundKey>> {
    let name = |name| rule.get(name).and_then(Value::as_str).is_some_and(is_about_keys);
    if !name("id") && !name("name") {
        return None;
    }
    let member = |name| finding.get(name).and_then(Value::as_str).unwrap_or_default();
    let command = words(member("validate_command")).unwrap_or_default();
    let captures = finding.get("dependent_captures").and_then(Value::as_object);
    let captures = captures.into_iter().flat_map(|captures| captures.values()).filter_map(Value::as_str);
    let values: Vec<&str> = variables(&command).chain(captures).chain([member("snippet")]).collect();
    Some(vec![key_of(&values)])
}

/// The values of the variables on its command line.
fn variables(command: &[Word]) -> impl Iterator<Item = &str> {
    let variables = command.windows(2).filter(|pair| pair[0].text.as_str() == "--var");
    variables.filter_map(|pair| pair[1].text.split_once('=').map(|(_, value)| value))
}
