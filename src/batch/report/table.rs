//! Rows in columns that fit a terminal. They are written as they arrive, so the widths cannot depend on them.

use super::Row;
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The widths of verdict, access key and account, whose values are never wider.
const FIXED: [usize; 3] = [13, 9, 12];

/// A narrower terminal wraps the lines.
const MIN_WIDTH: usize = 60;

/// The style of a table.
#[derive(Debug, Clone, Copy)]
pub struct TableStyle {
    /// The width of the terminal.
    pub width: usize,
    /// Whether verdicts have colours.
    pub colors: bool,
}

impl TableStyle {
    pub(super) fn write_header(&self, writer: &mut impl Write) -> io::Result<()> {
        self.write_cells(writer, ["VERDICT", "KEY", "ACCOUNT", "PRINCIPAL OR ERROR", "SOURCE"], None)
    }

    pub(super) fn write_row(&self, writer: &mut impl Write, row: &Row<'_>) -> io::Result<()> {
        // The account of the answer, or the account in the ID of the key.
        let account = row.account.or(row.key.account).unwrap_or("-");
        let resource = row.arn.and_then(|arn| arn.splitn(6, ':').nth(5)).or(row.arn);
        let who = resource.or(row.error_code).unwrap_or("-");
        self.write_cells(
            writer,
            [row.verdict, row.access_key.unwrap_or("-"), account, who, row.source],
            Some(color_of(row.verdict)),
        )
    }

    fn write_cells(
        &self,
        writer: &mut impl Write,
        [verdict, key, account, who, source]: [&str; 5],
        color: Option<&str>,
    ) -> io::Result<()> {
        let left = self.width.max(MIN_WIDTH) - FIXED.iter().sum::<usize>() - 4;
        let who_width = left * 3 / 5;
        let verdict = padded(verdict, FIXED[0]);
        let verdict = match color.filter(|_| self.colors) {
            Some(color) => format!("\x1b[{color}m{verdict}\x1b[0m"),
            None => verdict,
        };
        let line = format!(
            "{verdict} {} {} {} {}",
            padded(&shortened(key, FIXED[1]), FIXED[1]),
            padded(&shortened(account, FIXED[2]), FIXED[2]),
            padded(&shortened(who, who_width), who_width),
            shortened(source, left - who_width)
        );
        writeln!(writer, "{}", line.trim_end())
    }
}

/// Valid keys stand out most.
fn color_of(verdict: &str) -> &'static str {
    match verdict {
        "valid" => "1;31",
        "indeterminate" => "33",
        "invalid" => "32",
        _ => "2",
    }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A text shortened to this width, keeping its end, in which names and lines differ. Control characters are
/// replaced.
fn shortened(text: &str, width: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.width() <= width {
        return text;
    }
    let mut taken = 1;
    let kept = text.char_indices().rev().take_while(|(_, character)| {
        taken += character.width().unwrap_or_default();
        taken <= width
    });
    let start = kept.last().map_or(text.len(), |(at, _)| at);
    format!("…{}", &text[start..])
}
