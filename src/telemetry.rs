//! Logs: where they go, what they may hold, and the one line a request leaves. Its span, where spans are exported, has the
//! same life (`spans`).
//!
//! A line names the route that matched, never the path or query as it was sent, and an access key as its first and
//! last four characters. Secrets are never passed to it: there is nothing here to redact.

mod lines;
pub(crate) mod spans;

use crate::api_keys::KeyName;
use crate::config::LogArgs;
use crate::metrics::Metrics;
use crate::redact::SHORTEST_PART;
use crate::sts::Verdict;
use crate::trace::{CURRENT, Current, Origin};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
pub use spans::export;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Instant;
use tower::{Service, ServiceExt as _, service_fn};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, error, info};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The header by which a request is found again in the log.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The route in the log of a path that is none of ours.
const UNMATCHED: &str = "unmatched";

/// A status for the log alone: the client left before it was answered (nginx's number for it).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The SDK and its HTTP stack name access keys in full at debug level and answers at trace level, and the exporter of
/// traces its collector's. These lines are dropped whatever the settings say.
const QUIET_CRATES: [&str; 6] = ["aws_", "hyper", "h2", "opentelemetry", "rustls", "tower_http"];

/// What the log may know of a call to STS. A handler leaves it in the response's extensions.
#[derive(Debug, Clone, Default)]
pub struct CallRecord {
    /// The verdict, when STS was asked.
    pub verdict: Option<Verdict>,
    /// The error code that was answered.
    pub code: Option<String>,
    /// STS's request id.
    pub sts_request_id: Option<String>,
    /// The account of valid credentials.
    pub account: Option<String>,
    /// The access key id's first and last four characters.
    pub access_key: Option<String>,
    /// The region that was asked.
    pub region: Option<Arc<str>>,
    /// How many attempts came before the one that was answered.
    pub retries: Option<u32>,
    /// Where the answer came from when STS was not asked for it: `in_flight` or `cache`.
    pub shared: Option<&'static str>,
    /// What went wrong inside this program.
    pub fault: Option<&'static str>,
}

/// Starts logging to stdout.
///
/// # Errors
///
/// What the system says when there is no descriptor left for it.
pub fn init(args: &LogArgs) -> io::Result<()> {
    let may_pass = filter_fn(|metadata: &Metadata| {
        let quiet = QUIET_CRATES.iter().any(|name| metadata.target().starts_with(name));
        !quiet || *metadata.level() <= LevelFilter::INFO
    });
    let stdout = io::stdout();
    let ansi = stdout.is_terminal();
    // Each line is one write, and shorter than the 4 KiB that a pipe keeps together (PIPE_BUF in pipe(7)). std's own handle
    // would have all threads wait while one writes.
    let unlocked = File::from(stdout.as_fd().try_clone_to_owned()?);
    let layer = lines::layer(args.log_format, ansi, unlocked);
    tracing_subscriber::registry().with(layer.with_filter(may_pass)).with(args.log.clone()).init();
    std::panic::set_hook(Box::new(|panic| {
        // Not the message: it may hold what the code was working on.
        let place = panic.location().map(ToString::to_string);
        error!(place, "panicked");
    }));
    Ok(())
}

/// Gives each request an id, a trace, a line in the log and its place in the metrics.
pub(crate) fn access_log<S>(
    inner: S,
    metrics: Arc<Metrics>,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send,
{
    service_fn(move |mut request: Request| {
        let id =
            request.headers().get(REQUEST_ID_HEADER).filter(|id| is_sane(id)).cloned().unwrap_or_else(new_id);
        let origin = Origin::of(request.headers());
        let mut current = Current { trace_id: origin.trace_id, span: None };
        let line = AccessLine::new(&request, &id, metrics.clone());
        current.span = CURRENT.sync_scope(current.clone(), || spans::begin(line.method, &request, &origin));
        request.headers_mut().insert(REQUEST_ID_HEADER, id.clone());
        let answer = inner.clone().oneshot(request);
        CURRENT.scope(current, async move {
            let mut response = answer.await?;
            response.headers_mut().insert(REQUEST_ID_HEADER, id);
            line.write(&response);
            Ok(response)
        })
    })
}

/// A caller's id is taken over when it is short and plain, so that it can do no harm in a log, and cannot be a part of a
/// secret that slipped into it: words shorter than such a part, and hexadecimal numbers of any length, as ids are.
fn is_sane(id: &HeaderValue) -> bool {
    let in_base64 = |b: &u8| b.is_ascii_alphanumeric() || *b == b'=';
    let harmless = |word: &[u8]| word.len() < SHORTEST_PART || word.iter().all(u8::is_ascii_hexdigit);
    (1..=64).contains(&id.len())
        && id.as_bytes().iter().all(|b| in_base64(b) || b"-_.:".contains(b))
        && id.as_bytes().split(|b| !in_base64(b)).all(harmless)
}

/// A UUID of version 4. Its random bits come from where those of trace ids do, without a system call for each.
fn new_id() -> HeaderValue {
    let random = RandomIdGenerator::default().new_trace_id().to_bytes();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static(UNMATCHED))
}

/// A text of STS's as the log may hold it: a code or an id. Anything else may repeat the request.
fn plain(text: Option<&str>) -> Option<&str> {
    let sane = |text: &str| {
        text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    text.map(|text| if sane(text) { text } else { "unreadable" })
}

/// The line of one request. Dropped before it was written, it says that the client left.
struct AccessLine {
    method: &'static str,
    route: Option<MatchedPath>,
    id: HeaderValue,
    metrics: Arc<Metrics>,
    started: Instant,
    written: bool,
}

impl AccessLine {
    fn new(request: &Request, id: &HeaderValue, metrics: Arc<Metrics>) -> Self {
        metrics.request_began();
        Self {
            method: method_name(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            id: id.clone(),
            metrics,
            started: Instant::now(),
            written: false,
        }
    }

    fn write(mut self, response: &Response) {
        self.written = true;
        let (extensions, nothing_asked) = (response.extensions(), CallRecord::default());
        self.emit(response.status().as_u16(), extensions.get().unwrap_or(&nothing_asked), extensions.get());
    }

    fn emit(&self, status: u16, record: &CallRecord, api_key: Option<&KeyName>) {
        let route = self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        let took = self.started.elapsed();
        self.metrics.request_ended(self.method, route, status, took);
        spans::end(status, record);
        info!(
            method = self.method,
            route,
            status,
            duration_ms = took.as_secs_f64() * 1e3,
            request_id = self.id.to_str().unwrap_or_default(),
            verdict = record.verdict.map(Verdict::as_str),
            code = plain(record.code.as_deref()),
            sts_request_id = plain(record.sts_request_id.as_deref()),
            account = plain(record.account.as_deref()),
            api_key = api_key.map(KeyName::as_str),
            access_key = record.access_key,
            region = record.region.as_deref(),
            retries = record.retries,
            shared = record.shared,
            fault = record.fault,
            "request"
        );
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        if !self.written {
            self.emit(CLIENT_CLOSED_REQUEST, &CallRecord::default(), None);
        }
    }
}

/// The method's name, if it is a usual one: any word can be sent as a method.
fn method_name(method: &Method) -> &'static str {
    const USUAL: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::OPTIONS,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    const NAMES: [&str; 9] = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"];
    USUAL.iter().position(|usual| usual == method).map_or("other", |place| NAMES[place])
}
