//! Who a caller is, once it has shown a good API key.

/// The first eight bytes of the SHA-256 digest of the key that a request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);
