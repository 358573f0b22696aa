//! Identifies the caller for rate limits: by an API key, or by an address that a client cannot make up.

use crate::callers::{CallerId, KeyId};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Each proxy appends the address from which it got the request.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The caller of a request: its key, or else its address.
pub(crate) fn caller_of(request: &Request, proxies: usize) -> CallerId {
    match request.extensions().get::<KeyId>() {
        Some(key) => CallerId::Key(*key),
        None => address_of(request, proxies),
    }
}

/// With `proxies` trusted proxies, the caller is the entry that the outermost of them appended: the one at
/// position `proxies` from the right. A client may have made up the entries left of it. If the entry is missing
/// or is not an address, the peer's address is used, because that cannot be made up.
pub(super) fn address_of(request: &Request, proxies: usize) -> CallerId {
    let peer = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let address = forwarded(request.headers(), proxies).or_else(peer);
    CallerId::at(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

/// The n-th entry from the right, over all lines of the header.
fn forwarded(headers: &HeaderMap, nth: usize) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let entry = entries.nth(nth.checked_sub(1)?)?;
    address(std::str::from_utf8(entry).ok()?.trim())
}

/// An address alone, in brackets, or with a port: AWS's load balancers can be set to append the client's port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    bare().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn caller(lines: &[&str], proxies: usize) -> CallerId {
        let mut request = Request::builder();
        for line in lines {
            request = request.header("X-Forwarded-For", *line);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer: SocketAddr = "192.0.2.1:40000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        caller_of(&request, proxies)
    }

    fn at(address: &str) -> CallerId {
        CallerId::at(address.parse().unwrap())
    }

    const PEER: &str = "192.0.2.1";

    #[test]
    fn the_caller_is_the_entry_of_the_outermost_trusted_proxy() {
        for (lines, proxies, expected) in [
            (&["198.51.100.7"][..], 0, PEER),
            (&["198.51.100.7"], 1, "198.51.100.7"),
            (&["203.0.113.1, 198.51.100.7"], 1, "198.51.100.7"),
            (&["203.0.113.1, 198.51.100.7"], 2, "203.0.113.1"),
            (&["203.0.113.1,198.51.100.7"], 3, PEER),
            // Several lines are one list (RFC 9110, section 5.3).
            (&["203.0.113.1", "203.0.113.2, 198.51.100.7", "10.0.0.1"], 2, "198.51.100.7"),
            (&["203.0.113.1", "10.0.0.1"], 2, "203.0.113.1"),
            (&[], 1, PEER),
        ] {
            assert_eq!(caller(lines, proxies), at(expected), "{lines:?} {proxies}");
        }
    }

    #[test]
    fn addresses_may_have_ports_and_brackets() {
        for text in
            ["198.51.100.7", "198.51.100.7:40000", "::ffff:198.51.100.7", "[::ffff:198.51.100.7]:40000"]
        {
            assert_eq!(caller(&[text], 1), at("198.51.100.7"), "{text}");
        }
        for text in ["2001:db8:1:2::9", "[2001:db8:1:2::9]", "[2001:DB8:1:2:ffff::]:40000"] {
            assert_eq!(caller(&[text], 1), at("2001:db8:1:2::"), "{text}");
        }
        assert_ne!(caller(&["2001:db8:1:3::9"], 1), at("2001:db8:1:2::"));
    }

    #[test]
    fn an_entry_that_is_not_an_address_is_ignored_and_the_peer_is_the_caller() {
        for text in [
            "",
            "unknown",
            "_hidden",
            "a.example",
            "1.2.3",
            "198.51.100.7:x",
            "[198.51.100.7]",
            "::1%lo",
            "\u{e9}",
        ] {
            assert_eq!(caller(&["203.0.113.1", text], 1), at(PEER), "{text}");
        }
        assert_eq!(caller(&["203.0.113.1,"], 1), at(PEER));
    }

    #[test]
    fn a_caller_with_a_key_is_that_key_wherever_it_comes_from() {
        let mut request =
            Request::builder().header("X-Forwarded-For", "198.51.100.7").body(Body::empty()).unwrap();
        request.extensions_mut().insert(KeyId([7; 8]));
        assert_eq!(caller_of(&request, 1), CallerId::Key(KeyId([7; 8])));
    }
}
