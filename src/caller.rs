//! Who asks, as far as the service may know.

/// The start of the SHA-256 digest of the API key that a request came with: enough to tell callers apart, and no part of
/// the key. Authentication leaves it in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);
