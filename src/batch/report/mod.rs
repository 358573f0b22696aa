//! Reports of the answers: for people, programs, spreadsheets and code scanning. No row contains a secret.

mod csv;
mod row;
mod sarif;
mod summary;
mod table;

pub use row::Row;
pub use summary::summary;
pub use table::TableStyle;

use super::answer::{Answer, KeyInfo};
use super::entry::Location;
use clap::ValueEnum;
use std::io::{self, Write};

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Columns for people, and a summary at the end.
    Table,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
    /// SARIF 2.1.0, with the keys that are valid or indeterminate.
    Sarif,
}

/// The names of the files of a list.
#[derive(Debug, Clone)]
pub struct Sources(pub Vec<String>);

impl Sources {
    /// The name of a location, such as `keys.csv:3` or `credentials:default`.
    #[must_use]
    pub fn label(&self, location: &Location) -> String {
        let file = self.file(location);
        match &location.name {
            Some(name) => format!("{file}:{name}"),
            None if location.line == 0 => file.to_owned(),
            None => format!("{file}:{}", location.line),
        }
    }

    fn file(&self, location: &Location) -> &str {
        self.0.get(location.file as usize).map_or("", String::as_str)
    }
}

/// Writes a report, row by row.
pub struct Report<W> {
    writer: W,
    sources: Sources,
    form: Form,
    /// Whether rows were written since the last [`Report::flush`].
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
    pub fn row(&mut self, location: &Location, key: &KeyInfo, answer: &Answer) -> io::Result<()> {
        self.unflushed = true;
        let source = self.sources.label(location);
        let row = Row::new(&source, key, answer);
        match &mut self.form {
            Form::Table(style) => style.write_row(&mut self.writer, &row),
            Form::Ndjson => {
                serde_json::to_writer(&mut self.writer, &row)?;
                self.writer.write_all(b"\n")
            }
            Form::Csv => csv::write_row(&mut self.writer, &row),
            Form::Sarif(sarif) => {
                sarif.write_result(&mut self.writer, &row, self.sources.file(location), location.line)
            }
        }
    }

    /// Flushes the writer.
    ///
    /// # Errors
    ///
    /// The writer's own.
    pub fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unflushed) { self.writer.flush() } else { Ok(()) }
    }

    /// Ends the report. A table ends with the summary. `complete`: the whole list was processed.
    ///
    /// # Errors
    ///
    /// The writer's own.
    pub fn finish(mut self, complete: bool, summary: &str) -> io::Result<()> {
        match &self.form {
            // On two lines, which fit the width of the rows.
            Form::Table(_) => writeln!(self.writer, "\n{}", summary.replacen("; ", "\n", 1))?,
            Form::Sarif(_) => sarif::Sarif::end(&mut self.writer, complete)?,
            Form::Ndjson | Form::Csv => {}
        }
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
