//! The format of log lines, with the trace id at the end of every line of a request.

use crate::config::LogFormat;
use crate::observability::{last_line, trace};
use std::cell::Cell;
use std::fmt::{self, Write as _};
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Writes lines.
pub(super) fn layer<W>(format: LogFormat, ansi: bool, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(writer);
    let line = format::format().with_target(false).with_ansi(ansi);
    match format {
        LogFormat::Text => {
            let line = WithTraceId { inner: line, before: " trace_id=", after: "", end: "\n" };
            lines.event_format(line).boxed()
        }
        LogFormat::Json => {
            let inner = line.json().flatten_event(true).with_current_span(false).with_span_list(false);
            let line = WithTraceId { inner, before: ",\"trace_id\":\"", after: "\"", end: "}\n" };
            lines.fmt_fields(format::JsonFields::new()).event_format(line).boxed()
        }
    }
}

thread_local! {
    /// The buffer in which the line of a request is formatted.
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

/// A format of lines that adds the trace id. A span of `tracing` would work for text; in JSON it would be a
/// nested object, and it would cost time for every request.
struct WithTraceId<F> {
    /// The format.
    inner: F,
    /// The end of a line in that format.
    end: &'static str,
    /// The text between the rest and the id.
    before: &'static str,
    /// The text between the id and the end.
    after: &'static str,
}

impl<S, N, F> FormatEvent<S, N> for WithTraceId<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(id) = trace::current_id() else { return self.inner.format_event(context, writer, event) };
        // A value that logs while it is being formatted finds none here.
        let mut line = LINE.take();
        line.clear();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.strip_suffix(self.end).unwrap_or(&line).len());
        write!(line, "{}{id}{}{}", self.before, self.after, self.end)?;
        last_line::logged(&line);
        let written = writer.write_str(&line);
        LINE.set(line);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::trace::{CURRENT, Current};
    use opentelemetry::trace::TraceId;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt as _;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Two lines: one in a request, one outside.
    fn lines(format: LogFormat) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::registry().with(layer(format, false, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let current = Current { trace_id: TraceId::from(0xab), span: None };
            CURRENT.sync_scope(current, || tracing::warn!(number = 1, "inside {{}}"));
            tracing::warn!("outside");
        });
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn any_line_of_a_request_has_its_trace_in_json() {
        let lines = lines(LogFormat::Json);
        let [inside, outside] = &lines[..] else { panic!("{lines:?}") };
        let mut inside: serde_json::Map<String, serde_json::Value> = serde_json::from_str(inside).unwrap();
        inside.remove("timestamp").unwrap();
        let id = "000000000000000000000000000000ab";
        let flat = serde_json::json!({"level": "WARN", "message": "inside {}", "number": 1, "trace_id": id});
        assert_eq!(serde_json::Value::Object(inside), flat);
        assert!(serde_json::from_str::<serde_json::Value>(outside).unwrap()["trace_id"].is_null());
    }

    #[test]
    fn any_line_of_a_request_has_its_trace_in_text() {
        let lines = lines(LogFormat::Text);
        let [inside, outside] = &lines[..] else { panic!("{lines:?}") };
        assert!(
            inside.ends_with("WARN inside {} number=1 trace_id=000000000000000000000000000000ab"),
            "{inside}"
        );
        assert!(outside.ends_with("WARN outside"), "{outside}");
    }
}
