//! The proxy variables. They are read once, here, in the order of curl and boto3: the name in lower case takes
//! precedence, and an empty variable is not set.

use super::environment::text;
use crate::sts::{Proxies, Proxy};

/// Reads the proxies from the environment.
///
/// # Errors
///
/// One line, naming the variable whose value is not a proxy's URL.
pub(super) fn from_environment() -> Result<Proxies, String> {
    Ok(Proxies {
        https: proxy(["https_proxy", "HTTPS_PROXY"])?,
        http: proxy(["http_proxy", "HTTP_PROXY"])?,
        all: proxy(["all_proxy", "ALL_PROXY"])?,
        no_proxy: first(["no_proxy", "NO_PROXY"])?,
    })
}

fn proxy(names: [&'static str; 2]) -> Result<Option<Proxy>, String> {
    first(names)?.map(|(name, value)| Proxy::new(name, &value)).transpose()
}

/// The first of these variables that is set, and its value.
fn first(names: [&'static str; 2]) -> Result<Option<(&'static str, String)>, String> {
    for name in names {
        if let Some(value) = text(name)? {
            return Ok(Some((name, value)));
        }
    }
    Ok(None)
}
