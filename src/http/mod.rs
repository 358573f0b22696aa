//! The routes and what stands around them.

pub mod error;
mod media_type;
pub(crate) mod middleware;
pub(crate) mod openapi;
pub mod router;
pub(crate) mod routes;
pub mod state;
