//! SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>): a valid key is an error, an indeterminate
//! one a warning. Others are not reported. Results are written as they arrive.
//!
//! The types are our own: only a few of the schema's are needed, and crates with the whole schema bring code
//! generators.

use super::Row;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::io::{self, Write};

/// The characters that are not escaped in the path of a URI (RFC 3986, section 3.3).
const PATH: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'@')
    .remove(b'+')
    .remove(b',');

const LIVE: &str = "live-aws-key";
const UNKNOWN: &str = "unverified-aws-key";

/// Writes the results of a run.
pub(super) struct Sarif {
    is_first: bool,
}

impl Sarif {
    pub(super) fn begin(writer: &mut impl Write) -> io::Result<Self> {
        let rule = |id: &str, level: &str, short: &str, help: &str| {
            json!({
                "id": id,
                "shortDescription": {"text": short},
                "fullDescription": {"text": help},
                "help": {"text": help},
                "defaultConfiguration": {"level": level},
                "properties": {"tags": ["security"], "security-severity": if level == "error" { "9.0" } else { "5.0" }},
            })
        };
        let driver = json!({
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "rules": [
                rule(LIVE, "error", "An AWS key is live", "AWS STS names the owner of this key: deactivate it, then look for what it was used for."),
                rule(UNKNOWN, "warning", "An AWS key could not be verified", "AWS STS could not say whether this key is live: ask again."),
            ],
        });
        writeln!(
            writer,
            "{{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{},\"results\":[",
            json!({"driver": driver})
        )?;
        Ok(Self { is_first: true })
    }

    pub(super) fn write_result(
        &mut self,
        writer: &mut impl Write,
        row: &Row<'_>,
        file: &str,
        line: u32,
    ) -> io::Result<()> {
        let Some(result) = result(row, file, line) else { return Ok(()) };
        let separator = if std::mem::take(&mut self.is_first) { "" } else { "," };
        writeln!(writer, "{separator}{result}")
    }

    pub(super) fn end(writer: &mut impl Write, complete: bool) -> io::Result<()> {
        let invocation = json!({"executionSuccessful": complete});
        writeln!(writer, "],\"invocations\":[{invocation}]}}]}}")
    }
}

fn result(row: &Row<'_>, file: &str, line: u32) -> Option<Value> {
    let key = row.access_key.map_or("web identity token".to_owned(), |key| format!("AWS key {key}"));
    let (rule, index, level, text) = match row.verdict {
        "valid" => (LIVE, 0, "error", format!("The {key} is live: {}.", row.arn.unwrap_or("-"))),
        "indeterminate" => (
            UNKNOWN,
            1,
            "warning",
            format!("It is not known whether the {key} is live: {}.", row.error_code.unwrap_or("-")),
        ),
        _ => return None,
    };
    Some(json!({
        "ruleId": rule,
        "ruleIndex": index,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(file)},
            "region": {"startLine": line.max(1)},
        }}],
        "partialFingerprints": {"accessKey/v1": format!("{}:{}", row.access_key.unwrap_or("-"), row.source)},
    }))
}

/// A file's name as a URI reference. An absolute path becomes a file URI.
fn uri(file: &str) -> String {
    let path = utf8_percent_encode(file, &PATH).to_string();
    match file {
        "-" => "stdin".to_owned(),
        _ if file.starts_with('/') => format!("file://{path}"),
        _ => path.strip_prefix("./").map_or(path.clone(), str::to_owned),
    }
}
