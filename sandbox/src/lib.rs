#![doc = include_str!("../README.md")]
//!
//! # The way of a request
//!
//! ```text
//! server (HTTP) ─▶ sts ─▶ authorization   the form: which key signed, when, for which scope
//!                      ─▶ check           clock, scope, key and token, expiry, signature (sigv4)
//!                      ─▶ web_identity    a token, its claims, the keys; the documents of the issuer
//!                      ─▶ response        XML or JSON (error)
//! ```
//!
//! Of what was received only the ends of an access key id and the name of a region are ever logged.

mod authorization;
mod builder;
mod caller;
mod check;
mod error;
mod log_fields;
mod made_up;
mod memory;
mod on_the_way;
mod regions;
mod request;
mod requests;
mod response;
mod sandbox;
mod server;
mod sigv4;
mod sts;
mod table;
#[cfg(test)]
mod tests;
mod throttle;
mod verify;
mod web_identity;

pub use self::{
    builder::SandboxBuilder,
    caller::{Behaviour, Caller},
    error::StsError,
    sandbox::Sandbox,
    table::{render_table, table},
    verify::verify_signature,
};
