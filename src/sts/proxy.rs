//! Which proxy is used for STS. This is decided once, at the start: all endpoints have the same scheme and
//! port.
//!
//! The connector's own matcher (hyper-util's) ignores a proxy that it cannot parse and connects directly. So
//! the variables are normalised here to the form that the matcher parses, and the result is checked against the
//! matcher: a proxy that it would ignore is an error.

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use secrecy::{ExposeSecret as _, SecretString};
use std::net::IpAddr;
use url::{Host, Url};

const WANTED: &str = "must be the URL of a proxy, such as http://proxy.example:3128; \
                      in its user and password, other characters than letters and digits percent-encoded";

const WANTED_HOSTS: &str = "must be a list by commas of hosts such as sts.example.com, .example.com, 10.0.0.0/8 \
                            or example.com:8443, or *";

/// The proxies that the environment names.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// The proxy for `https` endpoints.
    pub https: Option<Proxy>,
    /// The proxy for `http` endpoints.
    pub http: Option<Proxy>,
    /// The proxy for both, where the one above is not set.
    pub all: Option<Proxy>,
    /// The variable with the hosts that are reached directly, and its value.
    pub no_proxy: Option<(&'static str, String)>,
}

/// A proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// The variable that names it.
    variable: &'static str,
    /// Its URL in the connector's form, with user and password.
    url: SecretString,
    /// Whether the connector supports this kind of proxy.
    supported: bool,
}

impl Proxy {
    /// Parses the value of a variable as curl and boto3 do: surrounding white space is ignored, and the default
    /// scheme is `http`.
    ///
    /// # Errors
    ///
    /// A text of one line that does not repeat the value.
    pub fn new(variable: &'static str, text: &str) -> Result<Self, String> {
        let wanted = || format!("{variable}: {WANTED}");
        let text = text.trim();
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{}", text.trim_start_matches("//"))
        };
        if text.contains(char::is_control) {
            return Err(wanted());
        }
        // The parser percent-encodes characters that are not allowed in user and password.
        let url = Url::parse(&text).map_err(|_| wanted())?;
        let nothing_behind =
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if !url.has_host() || !nothing_behind {
            return Err(wanted());
        }
        let supported = matches!(url.scheme(), "http" | "https");
        Ok(Self { variable, url: String::from(url).into(), supported })
    }
}

/// How an endpoint is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// No proxy is set for it.
    Direct,
    /// A proxy is set, and NO_PROXY names the endpoint.
    NoProxy,
    /// The host and port of a proxy.
    Proxy(String),
}

/// The route to all endpoints of one scheme and port.
#[derive(Debug)]
pub(super) enum ProxyRules {
    /// No proxy is set.
    Direct,
    /// NO_PROXY names every endpoint.
    NoProxy,
    /// A proxy, for endpoints that NO_PROXY does not name.
    Proxy {
        /// Its URL, with user and password.
        url: SecretString,
        /// The connector's matcher for the proxy and NO_PROXY.
        matcher: Box<Matcher>,
    },
}

impl ProxyRules {
    /// The rules for endpoints with the same scheme and port as this one.
    ///
    /// # Errors
    ///
    /// A text of one line that names the variable, when the connector would not do what the variable says.
    pub(super) fn new(proxies: &Proxies, endpoint: &Url) -> Result<Self, String> {
        let own = if endpoint.scheme() == "https" { &proxies.https } else { &proxies.http };
        let Some(Proxy { variable, url, supported }) = own.as_ref().or(proxies.all.as_ref()) else {
            return Ok(Self::Direct);
        };
        let rules = match &proxies.no_proxy {
            Some((variable, hosts)) => no_proxy(hosts, endpoint.port_or_known_default())
                .ok_or(format!("{variable}: {WANTED_HOSTS}"))?,
            None => String::new(),
        };
        let names =
            |uri: &Uri| Matcher::builder().all("stand-in").no(&rules).build().intercept(uri).is_none();
        if endpoint.as_str().parse().is_ok_and(|endpoint| names(&endpoint)) {
            return Ok(Self::NoProxy);
        }
        if !supported {
            let wanted = "must be a proxy for HTTP, with a URL that begins with http:// or https://";
            return Err(format!("{variable}: {wanted}"));
        }
        // Without NO_PROXY rules the matcher must return a proxy for any host.
        let taken = Matcher::builder().all(url.expose_secret()).build();
        let any_host = Uri::from_static("https://sts.amazonaws.com/");
        if taken.intercept(&any_host).is_none() {
            return Err(format!("{variable}: {WANTED}"));
        }
        let matcher = Matcher::builder().all(url.expose_secret()).no(&rules).build();
        Ok(Self::Proxy { url: url.clone(), matcher: Box::new(matcher) })
    }

    /// Whether there is a proxy that is reached over TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Proxy { url, .. } if url.expose_secret().starts_with("https:"))
    }

    /// The proxy for this endpoint.
    pub(super) fn proxy(&self, endpoint: &Uri) -> Option<Intercept> {
        match self {
            Self::Direct | Self::NoProxy => None,
            Self::Proxy { matcher, .. } => matcher.intercept(endpoint),
        }
    }

    /// How this endpoint is reached. Without user and password.
    pub(super) fn via(&self, endpoint: &Uri) -> Via {
        match (self, self.proxy(endpoint)) {
            (Self::Direct, _) => Via::Direct,
            (_, None) => Via::NoProxy,
            (_, Some(proxy)) => {
                Via::Proxy(proxy.uri().authority().map(ToString::to_string).unwrap_or_default())
            }
        }
    }
}

/// The entries of NO_PROXY that can match an endpoint with this port, in the form that the connector's matcher
/// reads: without ports, which it does not support, `*.example.com` as `.example.com`, and `*` for addresses,
/// too. `None` if an entry could never match.
fn no_proxy(hosts: &str, port: Option<u16>) -> Option<String> {
    let entries = hosts.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let rules: Vec<_> = entries.map(rule).collect::<Option<_>>()?;
    let of_port = rules.into_iter().filter(|(_, only)| only.is_none() || *only == port);
    Some(of_port.map(|(rule, _)| rule).collect::<Vec<_>>().join(","))
}

/// The rule for one entry, and the port if the entry is for one port only.
fn rule(entry: &str) -> Option<(String, Option<u16>)> {
    if entry == "*" {
        return Some(("*,0.0.0.0/0,::/0".to_owned(), None));
    }
    if is_network(entry) {
        return Some((entry.to_owned(), None));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port.parse().ok()?)),
        _ => (entry, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address.to_string(), port));
    }
    // The URL parser would read the beginning of an address, such as `192.168.`, as an address, and `a;b` as a
    // name.
    match Host::parse(host.strip_prefix("*.").unwrap_or(host).trim_matches('.')).ok()? {
        Host::Domain(name) if name.bytes().all(is_of_a_name) => Some((format!(".{name}"), port)),
        _ => None,
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

/// Whether the entry is a network such as `10.0.0.0/8`.
fn is_network(entry: &str) -> bool {
    let parts = entry.split_once('/').map(|(ip, bits)| (ip.parse::<IpAddr>(), bits.parse::<u8>()));
    match parts {
        Some((Ok(IpAddr::V4(_)), Ok(bits))) => bits <= 32,
        Some((Ok(IpAddr::V6(_)), Ok(bits))) => bits <= 128,
        _ => false,
    }
}

#[cfg(test)]
#[path = "proxy/tests.rs"]
mod tests;
