//! What the process gives up, so that its memory stays its own.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// No core dump, since it would hold the secrets of the requests in flight.
///
/// The limit alone is not enough: core(5) has it that a handler behind a pipe, as systemd's, is called whatever the limit
/// is. A process that is not dumpable leaves no core at all, and no other process of its user can trace it or read its
/// memory (prctl(2)). What it reads of itself in /proc for the metrics it may still read.
///
/// # Errors
///
/// What the system says against it.
pub fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
