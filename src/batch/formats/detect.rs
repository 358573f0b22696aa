//! Recognises the format of a file by its first lines.

use super::{Format, csv, env, ini};
use crate::batch::entry::ReadError;
use std::io::{self, BufRead, Read as _};

/// The maximum number of bytes that are examined.
const MAX_HEAD_BYTES: u64 = 64 * 1024;

/// Returns the format. `head` receives what was read. A stream is read line by line, and no further than
/// necessary.
pub(super) fn format_of(
    input: &mut impl BufRead,
    head: &mut Vec<u8>,
) -> io::Result<Result<Format, ReadError>> {
    // Whether all lines so far could be those of an environment without AWS variables.
    let mut may_be_env = true;
    loop {
        let start = head.len();
        let left = MAX_HEAD_BYTES.saturating_sub(start as u64);
        let read = input.by_ref().take(left).read_until(b'\n', head)?;
        let line = &head[start..];
        if line.contains(&0) {
            return Ok(Err(ReadError::Binary));
        }
        let line = String::from_utf8_lossy(line);
        // With CR as line end this is more than one line.
        let mut lines = line.split('\r');
        if start == 0 && lines.clone().next().is_some_and(|line| csv::declared_delimiter(line).is_some()) {
            return Ok(Ok(Format::Csv));
        }
        if let Some(format) = lines.clone().find_map(|line| format_of_line(trim(line))) {
            return Ok(Ok(format));
        }
        may_be_env &= lines.all(|line| is_blank_or_comment(trim(line)) || env::is_assignment(line));
        if read == 0 {
            return Ok(if may_be_env { Ok(Format::Env) } else { Err(ReadError::UnknownFormat) });
        }
    }
}

/// Whether the first line of a file is text. `head` receives the line.
pub(super) fn is_text(input: &mut impl BufRead, head: &mut Vec<u8>) -> io::Result<bool> {
    input.by_ref().take(MAX_HEAD_BYTES).read_until(b'\n', head)?;
    Ok(!head.contains(&0))
}

/// The text of a line without what may be before a value ([`super::values`]).
fn trim(line: &str) -> &str {
    line.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}').trim_end()
}

fn is_blank_or_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', ';'])
}

fn format_of_line(line: &str) -> Option<Format> {
    if is_blank_or_comment(line) {
        return None;
    }
    if line.starts_with('{') {
        return Some(Format::Json);
    }
    if let Some(rest) = line.strip_prefix('[') {
        let rest = rest.trim_start();
        let is_array = rest.is_empty() || rest.starts_with(['{', '[', '"', ']']) || rest.contains('{');
        return if is_array { Some(Format::Json) } else { ini::section_name(line).map(|_| Format::Ini) };
    }
    if csv::header_of(line, None).is_some() {
        return Some(Format::Csv);
    }
    env::names_a_value(line).then_some(Format::Env)
}
