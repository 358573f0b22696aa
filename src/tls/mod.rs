//! TLS parts that several rooms use: the reader of PEM files, and the client configurations for a CA bundle and for the system's CA
//! certificates. It depends on no other room.

pub mod pem;
mod trust;

pub use trust::{client_config, client_config_with_roots, system_roots};
