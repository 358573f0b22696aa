//! The hosts for which the service accepts requests.

use http::uri::Authority;
use std::net::Ipv6Addr;

/// The hosts for which the service accepts requests, if they are restricted. A web page can resolve its own
/// name to the service's address (DNS rebinding), and then has the same origin as the service for its browser;
/// only the name in `Host` distinguishes its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Host>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    /// In lower case. With `*.` at its start it stands for all names below, and `*` stands for all names.
    name: String,
    /// `None` allows any port.
    port: Option<u16>,
}

impl AllowedHosts {
    /// Whether the host of a request, as in its `Host` header, is allowed.
    #[must_use]
    pub fn allow(&self, host: &[u8]) -> bool {
        let host = std::str::from_utf8(host).ok().and_then(Host::parse).map(Host::without_last_dot);
        host.is_some_and(|host| self.0.iter().any(|allowed| allowed.includes(&host)))
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        let (mut name, port) = (authority.host().to_ascii_lowercase(), authority.port());
        // The parts that `host` and `port` do not contain would be a user name or an invalid port.
        let whole =
            authority.as_str().len() == name.len() + port.as_ref().map_or(0, |port| port.as_str().len() + 1);
        if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name = format!("[{}]", address.parse::<Ipv6Addr>().ok()?);
        }
        whole.then_some(Self { name, port: port.map(|port| port.as_u16()) })
    }

    /// The full stop at the end of a full name has no meaning here (RFC 1034, section 3.1).
    fn without_last_dot(mut self) -> Self {
        self.name.truncate(self.name.trim_end_matches('.').len());
        self
    }

    /// Whether this can be a setting: a star stands for whole labels at the start, or for any name.
    fn is_setting(&self) -> bool {
        let of_a_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let name = self.name.strip_prefix("*.").unwrap_or(&self.name);
        let is_name = name.bytes().all(of_a_name) && name.bytes().any(|b| b != b'.');
        name == "*" || name.starts_with('[') || is_name
    }

    /// Whether this setting allows that host. Clients leave out the default port of their scheme.
    fn includes(&self, host: &Self) -> bool {
        let named = match self.name.strip_prefix('*') {
            Some(end) => host.name.len() > end.len() && host.name.ends_with(end),
            None => host.name == self.name,
        };
        let own_port = || host.port.is_none() && matches!(self.port, Some(80 | 443));
        named && (self.port.is_none() || self.port == host.port || own_port())
    }
}

pub(super) fn allowed_hosts(text: &str) -> Result<AllowedHosts, String> {
    let setting = |text: &str| Host::parse(text.trim()).filter(Host::is_setting).map(Host::without_last_dot);
    let hosts: Option<Vec<_>> = text.split(',').map(setting).collect();
    hosts.map(AllowedHosts).ok_or_else(|| {
        "must be * or hosts such as verify.example, *.verify.example or 10.0.0.5:8080, with commas between them".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_by_its_name_and_by_its_port_if_the_setting_has_one() {
        let hosts =
            allowed_hosts("verify.example, *.a.example,B.example:8443,c.example.:443,10.0.0.5,[0:0::1]:8080")
                .unwrap();
        for host in [
            "verify.example",
            "VERIFY.example:8080",
            "verify.example.",
            "x.a.example",
            "x.y.a.example:1",
            "b.example:8443",
            "c.example",
            "c.example:443",
            "10.0.0.5",
            "10.0.0.5:80",
            "[::1]:8080",
        ] {
            assert!(hosts.allow(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "a.example",
            ".a.example",
            "xa.example",
            "b.example",
            "b.example:443",
            "c.example:80",
            "verify.example.evil.example",
            "evil.example@verify.example",
            "verify.example:x",
            "verify.example:99999",
            "verify.example, evil.example",
            "10.0.0.50",
            "[::1]",
        ] {
            assert!(!hosts.allow(host.as_bytes()), "{host}");
        }
        assert!(!hosts.allow(b"\xff"));
        assert!(allowed_hosts("*").unwrap().allow(b"any.example:1"));
    }

    #[test]
    fn a_text_that_is_not_a_list_of_hosts_is_rejected() {
        for text in [
            "",
            ",",
            "a.example,",
            "http://a.example",
            "a.example/x",
            "*.",
            "a.*.example",
            ".",
            "[::x]",
            "a.example:0x",
            "*a.example",
            "u@a.example",
            "ä.example",
            "a b",
        ] {
            assert!(allowed_hosts(text).is_err(), "{text}");
        }
    }
}
