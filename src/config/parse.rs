//! One function for each kind of value. The messages describe the expected form and never repeat the value,
//! which may contain a password (of a proxy, of an endpoint).

use crate::callers::Rate;
use crate::callers::api_keys::is_name;
use crate::credentials::is_region_name;
use crate::sts::partitions::{PARTITIONS, all_regions};
use clap::ValueEnum;
use http::HeaderValue;
use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};
use tracing_subscriber::filter::{LevelFilter, Targets};
use url::Url;

/// The maximum of all settings of time.
const LONGEST: Duration = Duration::from_hours(1);

/// The regions a request may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// Every region in the SDK's partition data.
    All,
    /// These.
    List(Vec<String>),
}

impl Regions {
    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::All => all_regions().map(str::to_owned).collect(),
            Self::List(names) => names.clone(),
        }
    }
}

/// The origins whose pages may read answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// All origins: `*`, as in the Lambda function.
    Any,
    /// These.
    List(Vec<HeaderValue>),
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080 or [::]:8080".to_owned())
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

pub(super) fn duration_or_zero(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("must be a time such as 500ms, 2s or 1m, of one hour at most".to_owned()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_zero(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

pub(super) fn duration_up_to(text: &str, longest: Duration) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= longest => Ok(duration),
        _ => Err(format!("must be a time such as 500ms or 30s, of {}s at most", longest.as_secs())),
    }
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    number_up_to(text, 16 * 1024 * 1024)
}

pub(super) fn number_up_to(text: &str, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from 1 to {most}")),
    }
}

pub(super) fn bytes(text: &str) -> Result<usize, String> {
    number_up_to(text, 64 * 1024 * 1024 * 1024)
}

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let period = |unit: &str| match unit {
        "s" => Some(Duration::from_secs(1)),
        "m" => Some(Duration::from_mins(1)),
        "h" => Some(Duration::from_hours(1)),
        _ => None,
    };
    let parts = text.split_once('/').and_then(|(count, unit)| Some((rate_count(count).ok()?, period(unit)?)));
    let (count, period) =
        parts.ok_or("must be a number from 1 to 1000000 and a unit, such as 10/s, 100/m or 1000/h")?;
    Ok(Rate { count, period })
}

pub(super) fn rate_count(text: &str) -> Result<NonZeroU32, String> {
    match text.parse::<NonZeroU32>() {
        Ok(number) if number.get() <= 1_000_000 => Ok(number),
        _ => Err("must be a whole number from 1 to 1000000".to_owned()),
    }
}

/// A rate as requests per second.
pub(super) fn requests_per_second(text: &str) -> Result<f64, String> {
    let Rate { count, period } = rate(text)?;
    Ok(f64::from(count.get()) / period.as_secs_f64())
}

pub(super) fn partition(text: &str) -> Result<&'static str, String> {
    let known = PARTITIONS.iter().find(|partition| partition.name == text.trim());
    known.map(|partition| partition.name).ok_or_else(|| {
        let names: Vec<_> = PARTITIONS.iter().map(|partition| partition.name).collect();
        format!("must be partitions of {}, with commas", names.join(", "))
    })
}

pub(super) fn proxies(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number <= 16 => Ok(number),
        _ => Err("must be a whole number from 0 to 16".to_owned()),
    }
}

pub(super) fn attempts(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (1..=100).contains(&number) => Ok(number),
        _ => Err("must be a whole number from 1 to 100".to_owned()),
    }
}

pub(super) fn region(text: &str) -> Result<String, String> {
    if is_region_name(text) {
        Ok(text.to_owned())
    } else {
        Err("must be a region such as us-east-1".to_owned())
    }
}

pub(super) fn regions(text: &str) -> Result<Regions, String> {
    if text.trim() == "*" {
        return Ok(Regions::All);
    }
    let wanted = || "must be * or regions such as us-east-1,eu-west-1".to_owned();
    let names: Result<Vec<_>, _> = text.split(',').map(|name| region(name.trim())).collect();
    names.map(Regions::List).map_err(|_| wanted())
}

pub(super) fn endpoint_url(text: &str) -> Result<String, String> {
    let wanted = "must be a URL such as https://sts.example.com, without user, query or fragment";
    let url = Url::parse(text).map_err(|_| wanted)?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url.into()) } else { Err(wanted.to_owned()) }
}

/// The profile names that aws-config accepts.
pub(super) fn profile_name(text: &str) -> Result<String, String> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&b);
    if text.bytes().all(known) {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a profile, without white space".to_owned())
    }
}

/// One word of a fixed list.
pub(super) fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    let words = || T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    T::from_str(text, true).map_err(|_| {
        format!(
            "must be one of {}",
            words().map(|word| word.get_name().to_owned()).collect::<Vec<_>>().join(", ")
        )
    })
}

pub(super) fn existing_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_file() { Ok(path) } else { Err("must be the path of a file".to_owned()) }
}

pub(super) fn key_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a name must be at most 64 characters of A-Z, a-z, 0-9, -, _, . and @, and not look like a digest"
            .to_owned())
    }
}

pub(super) fn cors_origins(text: &str) -> Result<CorsOrigins, String> {
    if text.trim() == "*" {
        return Ok(CorsOrigins::Any);
    }
    let origins: Option<Vec<_>> = text.split(',').map(|origin| cors_origin(origin.trim())).collect();
    origins.map(CorsOrigins::List).ok_or_else(|| {
        "must be * or whole origins such as https://a.example,http://localhost:3000: in lower case, without a \
         path, a default port or a * in the host"
            .to_owned()
    })
}

/// An origin as a browser sends it (RFC 6454, section 6.2), since it is compared byte by byte: nothing after
/// host and port, and only characters that are valid in a host. Patterns are not supported.
fn cors_origin(text: &str) -> Option<HeaderValue> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    let exact = url.origin().ascii_serialization() == text && url.host_str()?.bytes().all(known);
    exact.then(|| HeaderValue::from_str(text).ok()).flatten()
}

pub(super) fn log_filter(text: &str) -> Result<Targets, String> {
    // A single word would be read as a module's name, and everything in that module would be logged.
    let levels = text.split(',').all(|part| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok());
    let filter = levels.then(|| text.parse().ok()).flatten();
    filter.ok_or_else(|| "must be a level (error, warn, info, debug, trace) or levels by module".to_owned())
}
