//! TLS parts that several rooms use: the reader of PEM files, and the client configuration for a CA bundle. It depends on
//! no other room.

pub mod pem;
mod trust;

pub use trust::client_config;
