//! The gate's answers: the maker of a proof, the response headers, and the cache.

mod cache;
mod caller;
mod headers;

pub(crate) use cache::{CacheKey, GateCache, SOURCE};
pub(crate) use caller::Caller;
pub(crate) use headers::{HEADERS, with_empty_headers, with_headers};
