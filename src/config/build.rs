//! The build of the program. `build.rs` and Cargo set these values at compile time.

/// The version of the package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of the build, as the builder set it in `STS_VERIFY_REVISION`; `unknown` if it was not set.
pub(crate) const REVISION: &str = env!("STS_VERIFY_REVISION");

/// The target platform in Rust's notation, such as `x86_64-unknown-linux-musl`.
pub(crate) const TARGET: &str = env!("STS_VERIFY_TARGET");

/// The text of `--version` after the program's name.
pub(crate) const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("STS_VERIFY_REVISION"),
    ", target ",
    env!("STS_VERIFY_TARGET"),
    ")"
);
