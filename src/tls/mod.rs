//! TLS, for every part that uses it: the one reader of PEM files, and whom a client with certificates of its own trusts.
//! It knows nothing of the rest of the program.

pub mod pem;
mod trust;

pub use trust::client_config;
