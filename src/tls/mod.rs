//! TLS parts that several rooms use: the reader of PEM files, and the client configurations for a CA bundle and
//! for the system's CA certificates. It depends on no other room.

mod client;
pub mod pem;
mod trust;

pub use client::{ClientTls, ClientTlsError, Trust, trusted_files};
