//! The routes and what stands around them.

pub(crate) mod body;
pub(crate) mod connection;
pub mod error;
pub(crate) mod middleware;
pub(crate) mod openapi;
pub(crate) mod request_head;
pub mod router;
pub(crate) mod routes;
pub mod state;
