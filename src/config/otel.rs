//! The variables of OpenTelemetry for exporting traces over OTLP. They have no flags: their names and meanings
//! are those of the specification
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>,
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
//!
//! The specification says that wrong values are reported and ignored, and OpenTelemetry's crates do so. Here
//! they stop the start like any other wrong setting, because a wrong export would only be noticed when traces
//! are missing. Variables that the crates read correctly by themselves are only checked here (`OTEL_BSP_*`).
//! The others are read here, because the crates decode no attributes, let an empty variable hide another, and
//! have no setting for certificates or for a sampling decision before there is a span.

use super::{environment, parse};
use http::{HeaderName, HeaderValue};
use opentelemetry_sdk::trace::OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::time::Duration;

/// The time limit of one export (the specification's default).
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of waiting spans. The queue takes 6 MiB when it is empty and 25 MiB when it is full.
const MAX_QUEUE: usize = 16_384;

/// The maximum number of spans in one request, which is built in memory (about 16 MiB).
const MAX_BATCH: usize = 4_096;

/// The maximum number of headers, and of attributes. It is OpenTelemetry's own limit for the attributes of a
/// span.
const MAX_PAIRS: usize = 128;

/// The maximum total length of these in bytes.
const MAX_PAIRS_BYTES: usize = 16 * 1024;

/// The settings for exporting traces.
#[derive(Debug, Clone)]
pub struct OtelSettings {
    /// The whole URL that batches are sent to.
    pub endpoint: String,
    /// The headers of each request. Their values may be keys of the collector, and are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The time limit of one export, with all its attempts.
    pub timeout: Duration,
    /// The variable that names a PEM file of CA certificates to use instead of the system's, and the file.
    pub ca_bundle: Option<(String, PathBuf)>,
    /// The resource attributes of the traces.
    pub resource: Vec<(String, String)>,
    /// Which requests are recorded.
    pub sampling: Sampling,
}

/// Which requests are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Whether a decision of the caller's is followed.
    pub parent_based: bool,
    /// The sampled part of the other traces, from 0 to 1.
    pub ratio: f64,
}

impl OtelSettings {
    /// Reads the variables. `None` if they configure no export, which needs an endpoint.
    ///
    /// # Errors
    ///
    /// One line, naming the variable that is wrong.
    pub fn from_environment() -> Result<Option<Self>, String> {
        let disabled = read("OTEL_SDK_DISABLED", parse::boolean)?.unwrap_or(false);
        let wanted = read("OTEL_TRACES_EXPORTER", exporter)?.unwrap_or(true);
        let Some(endpoint) = endpoint()?.filter(|_| wanted && !disabled) else { return Ok(None) };
        for name in ["PROTOCOL", "COMPRESSION", "CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            of_traces(name, |text| served(name, text))?;
        }
        check_batches()?;
        let timeout = of_traces("TIMEOUT", milliseconds)?.map_or(EXPORT_TIMEOUT, |(_, time)| time);
        let longest = read("OTEL_BSP_EXPORT_TIMEOUT", milliseconds)?.unwrap_or(timeout);
        Ok(Some(Self {
            endpoint,
            headers: of_traces("HEADERS", headers)?.map(|(_, headers)| headers).unwrap_or_default(),
            timeout: timeout.min(longest),
            ca_bundle: of_traces("CERTIFICATE", |text| Ok(PathBuf::from(text)))?,
            resource: resource()?,
            sampling: Sampling::from_environment()?,
        }))
    }
}

impl Sampling {
    fn from_environment() -> Result<Self, String> {
        let name = read("OTEL_TRACES_SAMPLER", sampler)?.unwrap_or("parentbased_always_on");
        let parent_based = name.starts_with("parentbased_");
        let ratio = match name.trim_start_matches("parentbased_") {
            "always_on" => 1.0,
            "always_off" => 0.0,
            _ => read("OTEL_TRACES_SAMPLER_ARG", ratio)?.unwrap_or(1.0),
        };
        Ok(Self { parent_based, ratio })
    }
}

/// `OTEL_BSP_*` is read by OpenTelemetry's own builder, which accepts any number and ignores other values. The
/// queue is allocated at the start.
fn check_batches() -> Result<(), String> {
    let number = |longest: usize| move |text: &str| parse::number_up_to(text, longest);
    read("OTEL_BSP_SCHEDULE_DELAY", milliseconds)?;
    let queue =
        read("OTEL_BSP_MAX_QUEUE_SIZE", number(MAX_QUEUE))?.unwrap_or(OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT);
    match read("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", number(MAX_BATCH))? {
        Some(size) if size > queue => {
            Err("OTEL_BSP_MAX_EXPORT_BATCH_SIZE: must not be more than OTEL_BSP_MAX_QUEUE_SIZE".to_owned())
        }
        _ => Ok(()),
    }
}

/// The value of a variable that is set and not empty.
fn read<T>(name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    let Some(text) = environment::text(name)? else { return Ok(None) };
    parse(&text).map(Some).map_err(|wanted| format!("{name}: {wanted}"))
}

/// The exporter's variable for traces, or else the one for all signals, with the name of the one that was used.
fn of_traces<T>(
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<(String, T)>, String> {
    for variable in [format!("OTEL_EXPORTER_OTLP_TRACES_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")] {
        if let Some(value) = read(&variable, &parse)? {
            return Ok(Some((variable, value)));
        }
    }
    Ok(None)
}

/// The variable for traces is the whole URL; the one for all signals is the root of their paths.
fn endpoint() -> Result<Option<String>, String> {
    let endpoint = of_traces("ENDPOINT", |text| {
        parse::endpoint_url(text).map_err(|_| {
            "must be a URL such as http://collector.example:4318, without user, query or fragment".to_owned()
        })
    })?;
    Ok(endpoint.map(|(variable, url)| match variable.as_str() {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => format!("{}/v1/traces", url.trim_end_matches('/')),
        _ => url,
    }))
}

fn exporter(text: &str) -> Result<bool, String> {
    match text {
        "otlp" => Ok(true),
        "none" => Ok(false),
        _ => Err("must be otlp or none; there is no other exporter here".to_owned()),
    }
}

/// Rejects values that are not supported, rather than ignoring them.
fn served(name: &str, text: &str) -> Result<(), String> {
    match (name, text) {
        ("PROTOCOL", "http/protobuf") | ("COMPRESSION", "none") => Ok(()),
        ("PROTOCOL", _) => {
            Err("must be http/protobuf, on the collector's port 4318; grpc and http/json are not there"
                .to_owned())
        }
        ("COMPRESSION", _) => Err("must be none; there is no compression here".to_owned()),
        _ => Err("must be unset; there are no client certificates here".to_owned()),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(number) if (1..=3_600_000).contains(&number) => Ok(Duration::from_millis(number)),
        _ => Err("must be a time in milliseconds, from 1 to 3600000".to_owned()),
    }
}

fn sampler(text: &str) -> Result<&'static str, String> {
    const NAMES: [&str; 6] = [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ];
    let known = NAMES.into_iter().find(|name| *name == text);
    known.ok_or_else(|| format!("must be one of {}", NAMES.join(", ")))
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

/// Pairs such as `key=value,other=value`, with percent-encoded values. They are part of each request.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    if text.len() > MAX_PAIRS_BYTES || members.clone().count() > MAX_PAIRS {
        return None;
    }
    let pair = |member: &str| {
        let (name, value) = member.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned();
        Some((name.trim().to_owned(), value)).filter(|(name, _)| !name.is_empty())
    };
    members.map(pair).collect()
}

fn headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let header = |(name, value): (String, String)| {
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((name.parse().ok()?, value))
    };
    let headers = pairs(text).and_then(|pairs| pairs.into_iter().map(header).collect());
    headers.ok_or_else(|| {
        format!("must be up to {MAX_PAIRS} headers such as api-key=value,other=value, percent-encoded")
    })
}

/// The service's name takes precedence over the attributes, and these over the program's own values.
fn resource() -> Result<Vec<(String, String)>, String> {
    let attributes = read("OTEL_RESOURCE_ATTRIBUTES", |text| {
        pairs(text).ok_or_else(|| {
            format!("must be up to {MAX_PAIRS} attributes such as key=value,other=value, percent-encoded")
        })
    })?;
    let name = read("OTEL_SERVICE_NAME", |text| Ok(text.to_owned()))?;
    let own = [("service.name", "sts-verify"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let mut resource = own.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    resource.extend(attributes.unwrap_or_default());
    resource.extend(name.map(|name| ("service.name".to_owned(), name)));
    Ok(resource)
}
