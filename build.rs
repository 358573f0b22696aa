//! Passes the revision and the target of the build to the program.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=STS_VERIFY_REVISION");
    let revision = env::var("STS_VERIFY_REVISION").unwrap_or_default();
    // It becomes a label of a metric and part of a line of output.
    if !revision.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte)) {
        println!("cargo::error=STS_VERIFY_REVISION may have letters, digits and + - . _ only");
        return ExitCode::FAILURE;
    }
    let revision = if revision.is_empty() { "unknown" } else { &revision };
    println!("cargo::rustc-env=STS_VERIFY_REVISION={revision}");
    // Cargo sets TARGET only for build scripts.
    println!("cargo::rustc-env=STS_VERIFY_TARGET={}", env::var("TARGET").unwrap_or_default());
    ExitCode::SUCCESS
}
