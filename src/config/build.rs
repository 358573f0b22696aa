//! Which build this is. Set when it is compiled, by `build.rs` and Cargo.

/// The version of the package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, as the builder named it in `STS_VERIFY_REVISION`; `unknown` if it was not named.
pub(crate) const REVISION: &str = env!("STS_VERIFY_REVISION");

/// The platform it was built for, in Rust's words, as in `x86_64-unknown-linux-musl`.
pub(crate) const TARGET: &str = env!("STS_VERIFY_TARGET");

/// What `--version` says behind the program's name.
pub(crate) const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("STS_VERIFY_REVISION"),
    ", target ",
    env!("STS_VERIFY_TARGET"),
    ")"
);
