//! The HTTP service: the routes and the layers around them.

pub(crate) mod body;
pub(crate) mod connection;
pub(crate) mod context;
pub mod error;
pub(crate) mod gate;
pub mod head_error;
mod media_type;
pub(crate) mod middleware;
pub(crate) mod openapi;
pub(crate) mod proof_forms;
pub(crate) mod proofs;
pub(crate) mod request_head;
pub mod router;
pub(crate) mod routes;
pub(crate) mod spellings;
pub mod state;
pub(crate) mod sts_call;
pub(crate) mod verification;
