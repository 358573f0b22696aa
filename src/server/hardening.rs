//! Protects the memory of the process.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// Disables core dumps, because they would contain the secrets of the requests in flight.
///
/// The limit alone is not enough: according to core(5), a handler behind a pipe, such as systemd's, is called
/// whatever the limit. A process that is not dumpable leaves no core dump, and no other process of its user can
/// trace it or read its memory (prctl(2)). The process can still read its own files in /proc for the metrics.
///
/// # Errors
///
/// The system's error.
pub fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
