//! The answers as rows: for people, for programs, for spreadsheets, for code scanning. No row holds a secret.

mod csv;
mod row;
mod sarif;
mod summary;
mod table;

pub use row::Row;
pub use summary::summary;
pub use table::TableStyle;

use super::answer::{Answer, KeyInfo};
use super::entry::Place;
use clap::ValueEnum;
use std::io::{self, Write};

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Columns that fit a terminal.
    Table,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
    /// SARIF 2.1.0, with the keys that are valid or of which nobody knows.
    Sarif,
}

/// The names of the files of a list.
#[derive(Debug, Clone)]
pub struct Sources(pub Vec<String>);

impl Sources {
    /// Where something stands, as in `keys.csv:3` or `credentials:default`.
    #[must_use]
    pub fn label(&self, place: &Place) -> String {
        let file = self.file(place);
        match &place.name {
            Some(name) => format!("{file}:{name}"),
            None if place.line == 0 => file.to_owned(),
            None => format!("{file}:{}", place.line),
        }
    }

    fn file(&self, place: &Place) -> &str {
        self.0.get(place.file as usize).map_or("", String::as_str)
    }
}

/// Writes a report, row by row.
pub struct Report<W> {
    writer: W,
    sources: Sources,
    form: Form,
    /// Whether something was written since the last [`Report::flush`].
    unflushed: bool,
}

enum Form {
    Table(TableStyle),
    Ndjson,
    Csv,
    Sarif(sarif::Sarif),
}

impl<W: Write> Report<W> {
    /// Begins a report.
    ///
    /// # Errors
    ///
    /// The writer's own.
    pub fn begin(
        mut writer: W,
        format: ReportFormat,
        style: TableStyle,
        sources: Sources,
    ) -> io::Result<Self> {
        let form = match format {
            ReportFormat::Table => {
                style.write_header(&mut writer)?;
                Form::Table(style)
            }
            ReportFormat::Ndjson => Form::Ndjson,
            ReportFormat::Csv => {
                csv::write_header(&mut writer)?;
                Form::Csv
            }
            ReportFormat::Sarif => Form::Sarif(sarif::Sarif::begin(&mut writer)?),
        };
        Ok(Self { writer, sources, form, unflushed: true })
    }

    /// The names of the files.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Writes the row of an entry.
    ///
    /// # Errors
    ///
    /// The writer's own.
    pub fn row(&mut self, place: &Place, key: &KeyInfo, answer: &Answer) -> io::Result<()> {
        self.unflushed = true;
        let source = self.sources.label(place);
        let row = Row::new(&source, key, answer);
        match &mut self.form {
            Form::Table(style) => style.write_row(&mut self.writer, &row),
            Form::Ndjson => {
                serde_json::to_writer(&mut self.writer, &row)?;
                self.writer.write_all(b"\n")
            }
            Form::Csv => csv::write_row(&mut self.writer, &row),
            Form::Sarif(sarif) => {
                sarif.write_result(&mut self.writer, &row, self.sources.file(place), place.line)
            }
        }
    }

    /// Hands on what was written.
    ///
    /// # Errors
    ///
    /// The writer's own.
    pub fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unflushed) { self.writer.flush() } else { Ok(()) }
    }

    /// Ends the report. A table ends with the summary. `complete`: the list was worked off to its end.
    ///
    /// # Errors
    ///
    /// The writer's own.
    pub fn finish(mut self, complete: bool, summary: &str) -> io::Result<()> {
        match &self.form {
            // In two lines, which fit where the rows do.
            Form::Table(_) => writeln!(self.writer, "\n{}", summary.replacen("; ", "\n", 1))?,
            Form::Sarif(_) => sarif::Sarif::end(&mut self.writer, complete)?,
            Form::Ndjson | Form::Csv => {}
        }
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
