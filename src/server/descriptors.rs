//! Enough file descriptors for the connections that are allowed.

use tracing::warn;

/// For what is neither a connection of a caller nor one to STS: listeners, the scraper of metrics, the runtime's own.
const OTHERS: u64 = 128;

/// Takes as many as the system allows (the soft limit, 1024 at most places, is meant for programs that use
/// `select(2)`), and warns if a full listener with as many calls to STS as there may be would need more.
pub fn take_file_descriptors(max_connections: usize, max_sts_connections: usize) {
    let needed = (max_connections as u64).saturating_add(max_sts_connections as u64).saturating_add(OTHERS);
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) if allowed >= needed => {}
        Ok(allowed) => warn!(
            allowed,
            needed,
            max_connections,
            max_sts_connections,
            "the limit of open files is too low for so many connections"
        ),
        Err(error) => warn!(%error, "the limit of open files cannot be raised"),
    }
}
