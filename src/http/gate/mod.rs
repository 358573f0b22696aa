//! What a gate says and keeps: who made a proof, the headers of its answers, and its cache.

mod cache;
mod caller;
mod headers;

pub(crate) use cache::{CacheKey, GateCache, SOURCE};
pub(crate) use caller::Caller;
pub(crate) use headers::{HEADERS, with_headers};
