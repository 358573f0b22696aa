//! `GET /metrics`: the metrics for Prometheus, in the format that the request accepts.

use crate::http::error::ErrorBody;
use crate::http::state::SharedState;
use crate::observability::metrics::Format;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use mime::Mime;

/// Metrics for Prometheus
///
/// In OpenMetrics text if `Accept` prefers it, else in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health", responses(
    (status = 200, description = "The metrics", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    )),
    (status = 421, description = "The service is not allowed to answer for that host", body = ErrorBody),
))]
pub(crate) async fn metrics(State(app): State<SharedState>, headers: HeaderMap) -> Response {
    let format = wanted(&headers);
    let head = [(CONTENT_TYPE, format.media_type()), (VARY, HeaderValue::from_static("accept"))];
    (head, app.metrics.text(format)).into_response()
}

/// OpenMetrics only if `Accept` names it and prefers it (RFC 9110, section 12.5.1): a client that accepts
/// anything may be older than OpenMetrics.
fn wanted(headers: &HeaderMap) -> Format {
    let lines = headers.get_all(ACCEPT).into_iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<Mime> =
        lines.flat_map(|line| line.split(',')).filter_map(|range| range.trim().parse().ok()).collect();
    let best = |is_meant: &dyn Fn(&Mime) -> bool| {
        ranges.iter().filter(|range| is_meant(range)).map(quality).reduce(f32::max)
    };
    let open = best(&|range| is(range, "application/openmetrics-text") && has_version(range, &["1.0.0"]));
    // The most specific range counts, whatever wider ranges say.
    let text = best(&|range| is(range, "text/plain") && has_version(range, &["0.0.4", "1.0.0"]))
        .or_else(|| best(&|range| is(range, "text/*")))
        .or_else(|| best(&|range| is(range, "*/*")));
    match open {
        Some(open) if open > 0.0 && open >= text.unwrap_or(0.0) => Format::OpenMetrics,
        _ => Format::Text,
    }
}

fn is(range: &Mime, name: &str) -> bool {
    range.essence_str() == name
}

/// Whether a range is for one of these versions, or for any.
fn has_version(range: &Mime, versions: &[&str]) -> bool {
    range.get_param("version").is_none_or(|version| versions.contains(&version.as_str()))
}

/// The quality value of a range, from 0 to 1. A value that is not a number is ignored.
fn quality(range: &Mime) -> f32 {
    range.get_param("q").and_then(|q| q.as_str().parse().ok()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(lines: &[&str]) -> Format {
        let lines = lines.iter().map(|line| (ACCEPT, HeaderValue::from_str(line).unwrap()));
        let mut headers = HeaderMap::new();
        lines.for_each(|(name, value)| {
            headers.append(name, value);
        });
        wanted(&headers)
    }

    #[test]
    fn openmetrics_is_only_for_clients_that_name_and_prefer_it() {
        for accept in [
            // Prometheus 2.49, 3.0, and 3.0 with native histograms.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8",
            "text/plain;q=0.5, application/openmetrics-text;q=0.5",
            "text/*;q=0.3, */*;q=0.9, application/openmetrics-text;q=0.4",
        ] {
            assert_eq!(format(&[accept]), Format::OpenMetrics, "{accept}");
        }
        assert_eq!(format(&["text/plain;q=0.5", "application/openmetrics-text"]), Format::OpenMetrics);
    }

    #[test]
    fn other_clients_get_the_classic_format() {
        for accept in [
            "",
            "*/*",
            "text/plain;version=0.0.4",
            "text/plain",
            "application/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            // Prometheus 2.5: only the draft version.
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;q=0.3,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;q=0.3,text/*;q=0.5",
            "application/openmetrics-text;q=0,*/*;q=0",
            "application/json",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        ] {
            assert_eq!(format(&[accept]), Format::Text, "{accept}");
        }
        assert_eq!(format(&[]), Format::Text);
    }
}
