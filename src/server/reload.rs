//! Reloads files when they change: API keys, the certificate with its key, policies, CA bundles. No connection
//! is closed for this, and after an error the previous content stays in use.
//!
//! The contents of the files are compared every three seconds. This works if a file is rewritten, replaced, or
//! reached through a link that changes (Kubernetes' `..data`), and does not depend on notifications of the file
//! system. A change is loaded when the content is the same twice in a row, so that a file is not read while it
//! is written. SIGHUP reloads all files at once.

use crate::observability::metrics::{Metrics, ReloadedFile};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{error, info};
use zeroize::Zeroizing;

/// The time between two comparisons. A change is loaded after at most two of them, plus the time to read the
/// files.
const INTERVAL: Duration = Duration::from_secs(3);

/// Reloads the files. Returns the number of their entries, or why they cannot be used.
type Load = Box<dyn Fn() -> Result<usize, String> + Send + Sync>;

/// The contents of files at one moment, as a SHA-256 digest. For a file that cannot be read, it covers the kind
/// of error.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents([u8; 32]);

/// Files that are loaded together.
pub struct WatchedFiles {
    file: ReloadedFile,
    paths: Vec<PathBuf>,
    load: Load,
    /// The contents at the last attempt to load them.
    tried: Contents,
    /// The contents at the last comparison.
    seen: Contents,
}

impl Contents {
    /// Reads the files.
    #[must_use]
    pub fn of(paths: &[PathBuf]) -> Self {
        let mut digest = Sha256::new();
        for path in paths {
            for content in contents(path) {
                match content {
                    Ok(content) => {
                        digest.update((content.len() as u64).to_be_bytes());
                        digest.update(content);
                    }
                    Err(error) => digest.update(error.kind().to_string()),
                }
            }
        }
        Self(digest.finalize().into())
    }
}

/// The content of a file, or of each file in a folder (SSL_CERT_DIR).
fn contents(path: &Path) -> Vec<io::Result<Zeroizing<Vec<u8>>>> {
    let files = match fs::read_dir(path) {
        Ok(entries) => {
            let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            files.sort_unstable();
            files
        }
        Err(_) => vec![path.to_owned()],
    };
    // Only regular files: reading a pipe would take its content from its real reader.
    let read = |file: PathBuf| match fs::metadata(&file)? {
        about if about.is_file() => fs::read(&file).map(Zeroizing::new),
        _ => Err(ErrorKind::Unsupported.into()),
    };
    files.into_iter().map(read).collect()
}

impl WatchedFiles {
    /// Creates the entry for files that have been loaded. `loaded` has to be read before that, so that no
    /// change is missed.
    pub fn new(
        file: ReloadedFile,
        paths: Vec<PathBuf>,
        loaded: Contents,
        load: impl Fn() -> Result<usize, String> + Send + Sync + 'static,
    ) -> Self {
        Self { file, paths, load: Box::new(load), tried: loaded.clone(), seen: loaded }
    }

    /// Whether the files have new contents that were the same at the last comparison.
    fn has_changed(&mut self) -> bool {
        let now = Contents::of(&self.paths);
        let is_stable = now == self.seen;
        self.seen = now;
        is_stable && self.seen != self.tried
    }

    fn load(&mut self, metrics: &Metrics) {
        self.tried = Contents::of(&self.paths);
        let file = self.file.as_str();
        match (self.load)() {
            Ok(entries) => {
                metrics.file_loaded(self.file);
                info!(file, entries, "reloaded");
            }
            Err(error) => {
                metrics.reload_failed(self.file);
                error!(file, error, "not reloaded; the previous content stays in use");
            }
        }
    }
}

/// Reloads files that have changed, and all files at each notification, as long as it is polled.
pub async fn run(hangup: Arc<Notify>, files: Vec<WatchedFiles>, metrics: Arc<Metrics>) {
    for watched in &files {
        metrics.file_loaded(watched.file);
    }
    let mut ticks = interval_at(Instant::now() + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut files = files;
    loop {
        let all = tokio::select! {
            () = hangup.notified() => true,
            _ = ticks.tick() => false,
        };
        let metrics = metrics.clone();
        // On a thread of its own: a file system that hangs must not block requests.
        let looked = spawn_blocking(move || {
            look(&mut files, all, &metrics);
            files
        });
        let Ok(looked) = looked.await else {
            error!("a file was not reloaded: its reader panicked; no file is looked at any more");
            return;
        };
        files = looked;
    }
}

fn look(files: &mut [WatchedFiles], all: bool, metrics: &Metrics) {
    if all && files.is_empty() {
        info!("SIGHUP: there is no file to reload");
    }
    for watched in files {
        if all || watched.has_changed() {
            watched.load(metrics);
        }
    }
}
