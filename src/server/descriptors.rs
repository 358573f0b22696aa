//! Raises the limit of file descriptors for the allowed connections.

use tracing::warn;

/// The descriptors for everything other than connections of callers and to STS: listeners, the scraper of
/// metrics, the runtime.
const OTHERS: u64 = 128;

/// Raises the soft limit to the hard limit (the soft limit, usually 1024, is meant for programs that use
/// `select(2)`), and warns if the maximum numbers of connections and of calls to STS would need more.
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
