//! Who asks: API keys, and how often and how much at once each caller may ask. No HTTP here.

pub mod api_keys;
mod in_flight;
mod rate_limit;

pub(crate) use in_flight::InFlight;
pub(crate) use rate_limit::CallerLimit;
pub use rate_limit::{PerCaller, Rate};

use std::net::{IpAddr, Ipv4Addr};

/// The start of the SHA-256 digest of the API key that a request came with: enough to tell callers apart, and no part of
/// the key. Authentication leaves it in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);

/// What shares one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CallerId {
    /// Whoever has this API key.
    Key(KeyId),
    /// An IPv4 address, by itself or mapped into IPv6.
    V4(Ipv4Addr),
    /// An IPv6 network of 64 bits: the least that a subscriber is given (RFC 6177), to choose any address in it.
    V6([u16; 4]),
    /// Newcomers while the table is full; several callers share one of these.
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
