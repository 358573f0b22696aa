//! Rows as CSV: the members of a row's JSON. Members of inner objects have the object's name as a prefix.

use super::Row;
use csv::WriterBuilder;
use std::io::{self, Write};

const COLUMNS: [&str; 19] = [
    "source",
    "access_key",
    "verdict",
    "account",
    "arn",
    "user_id",
    "principal_partition",
    "principal_type",
    "principal_path",
    "principal_name",
    "principal_session",
    "key_kind",
    "key_account",
    "key_canary",
    "error_code",
    "error_message",
    "region",
    "request_id",
    "attempts",
];

pub(super) fn write_header(writer: &mut impl Write) -> io::Result<()> {
    write(writer, COLUMNS)
}

pub(super) fn write_row(writer: &mut impl Write, row: &Row<'_>) -> io::Result<()> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let principal = row.principal.as_ref();
    let part = |part: Option<&String>| part.cloned().unwrap_or_default();
    write(
        writer,
        [
            row.source.to_owned(),
            text(row.access_key),
            row.verdict.to_owned(),
            text(row.account),
            text(row.arn),
            text(row.user_id),
            part(principal.map(|principal| &principal.partition)),
            text(principal.map(|principal| principal.kind)),
            part(principal.and_then(|principal| principal.path.as_ref())),
            part(principal.and_then(|principal| principal.name.as_ref())),
            part(principal.and_then(|principal| principal.session.as_ref())),
            row.key.kind.to_owned(),
            text(row.key.account),
            row.key.canary.to_string(),
            text(row.error_code),
            text(row.error_message),
            text(row.region),
            text(row.request_id),
            row.attempts.to_string(),
        ],
    )
}

fn write<T: AsRef<[u8]>>(writer: &mut impl Write, fields: [T; COLUMNS.len()]) -> io::Result<()> {
    let mut csv = WriterBuilder::new().buffer_capacity(512).from_writer(writer);
    csv.write_record(fields).map_err(io::Error::from)?;
    csv.flush()
}
