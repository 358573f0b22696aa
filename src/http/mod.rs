//! The routes and what stands around them.

pub(crate) mod ask;
pub(crate) mod context;
pub mod error;
pub(crate) mod gate;
mod media_type;
pub(crate) mod middleware;
pub(crate) mod openapi;
pub(crate) mod proofs;
pub mod router;
pub(crate) mod routes;
pub(crate) mod spellings;
pub mod state;
pub(crate) mod verification;
