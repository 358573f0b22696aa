//! Kingfisher's report: an object with `findings`, or a finding a line. The finding's `snippet` is the secret, and the access
//! key stands in its `validate_command` as `--var AKID=…` (`src/reporter.rs`). Of a session the snippet is the token, and
//! the secret stands there as `AWS_SECRET_ACCESS_KEY`.

use super::betterleaks::{is_about_keys, key_of};
use super::json::Found;
use super::words::{Word, words};
use serde_json::Value;
use zeroize::Zeroizing;

/// The keys in a record or a whole report; `None` for what holds none.
pub(super) fn read(report: &Value) -> Option<Vec<Found>> {
    if let Some(findings) = report.get("findings").and_then(Value::as_array) {
        return Some(findings.iter().filter_map(read).flatten().collect());
    }
    let rule = report.get("rule")?;
    let name = |name| rule.get(name).and_then(Value::as_str).is_some_and(is_about_keys);
    let finding = report.get("finding").filter(|_| name("id") || name("name"))?;
    let member = |name| finding.get(name).and_then(Value::as_str).unwrap_or_default();
    let command = words(member("validate_command")).unwrap_or_default();
    let values: Vec<&str> = variables(&command).chain([member("snippet")]).collect();
    Some(vec![key_of(&values)])
}

/// The values of the variables on its command line.
fn variables(command: &[Word]) -> impl Iterator<Item = &str> {
    command.windows(2).filter(|pair| pair[0].text.as_str() == "--var").filter_map(|pair| {
        let text: &Zeroizing<String> = &pair[1].text;
        text.split_once('=').map(|(_, value)| value)
    })
}
