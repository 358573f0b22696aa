//! The two text formats of metrics. <https://prometheus.io/docs/instrumenting/exposition_formats/>

use http::HeaderValue;
use std::collections::HashSet;

/// The format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' own text format, version 0.0.4, which every client supports.
    Text,
    /// OpenMetrics text, version 1.0.0.
    OpenMetrics,
}

impl Format {
    pub(crate) fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }

    /// Converts an OpenMetrics text into this format.
    pub(super) fn of_openmetrics(self, text: String) -> String {
        match self {
            Self::Text => as_classic(&text),
            Self::OpenMetrics => text,
        }
    }
}

/// For the metrics of this program the two formats differ in the names of counter families, which have no
/// `_total` in OpenMetrics, and in the end mark.
fn as_classic(text: &str) -> String {
    let counter = |line| str::strip_prefix(line, "# TYPE ")?.strip_suffix(" counter");
    let counters: HashSet<&str> = text.lines().filter_map(counter).collect();
    let mut classic = String::with_capacity(text.len() + counters.len() * 2 * "_total".len());
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match [words.next(), words.next(), words.next(), words.next()] {
            [Some("#"), Some("EOF" | "UNIT"), ..] => continue,
            [Some("#"), Some(what), Some(name), Some(rest)] if counters.contains(name) => {
                classic.extend(["# ", what, " ", name, "_total ", rest]);
            }
            _ => classic.push_str(line),
        }
        classic.push('\n');
    }
    classic
}
