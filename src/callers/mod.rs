//! Callers: API keys, and how many requests each caller may send. This room knows no HTTP.

pub mod api_keys;
mod in_flight;
mod rate_limit;

pub(crate) use in_flight::InFlight;
pub(crate) use rate_limit::CallerLimit;
pub use rate_limit::{PerCaller, Rate};

use std::net::{IpAddr, Ipv4Addr};

/// The first bytes of the SHA-256 digest of a request's API key: enough to distinguish callers, and no part of
/// the key. Authentication puts it into the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);

/// Identifies the callers that share one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CallerId {
    /// All requests with this API key.
    Key(KeyId),
    /// An IPv4 address, by itself or mapped into IPv6.
    V4(Ipv4Addr),
    /// An IPv6 network of 64 bits: the smallest that a subscriber gets (RFC 6177), in which it can choose any
    /// address.
    V6([u16; 4]),
    /// New callers while the table is full. Several of them share one bucket.
    OverflowBucket(u64),
}

impl CallerId {
    /// The caller at an address.
    pub(crate) fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}
