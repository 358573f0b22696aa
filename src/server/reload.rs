//! Loads files again when they change: API keys, the certificate with its key, policies, CA bundles. No connection is dropped for it, and
//! a file that is wrong leaves everything as it was.
//!
//! Files are looked at by their content, every three seconds: so it does not matter whether one is rewritten, replaced by another, or
//! reached through a link that changes (Kubernetes' `..data`), and no watch of the system's can be missed. What was seen twice in a row is
//! loaded, so that a file that is just being written is left alone. SIGHUP loads all files at once.

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

/// A change is loaded after two of these at most, and what reading takes.
const INTERVAL: Duration = Duration::from_secs(3);

/// Loads the files anew. Returns how many entries they have, or why they cannot be used.
type Load = Box<dyn Fn() -> Result<usize, String> + Send + Sync>;

/// What files held when they were looked at: SHA-256 of all contents, or of what kept one from being read.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents([u8; 32]);

/// Files that are loaded together.
pub struct WatchedFiles {
    file: ReloadedFile,
    paths: Vec<PathBuf>,
    load: Load,
    /// What was tried last.
    tried: Contents,
    /// What was seen last.
    seen: Contents,
}

impl Contents {
    /// Looks at the files.
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

/// What a file holds, or each file in a folder (SSL_CERT_DIR).
fn contents(path: &Path) -> Vec<io::Result<Zeroizing<Vec<u8>>>> {
    let files = match fs::read_dir(path) {
        Ok(entries) => {
            let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            files.sort_unstable();
            files
        }
        Err(_) => vec![path.to_owned()],
    };
    // A pipe gives what it holds to one reader, who is not this one.
    let read = |file: PathBuf| match fs::metadata(&file)? {
        about if about.is_file() => fs::read(&file).map(Zeroizing::new),
        _ => Err(ErrorKind::Unsupported.into()),
    };
    files.into_iter().map(read).collect()
}

impl WatchedFiles {
    /// Files that have been loaded. `loaded` was looked at before that, so that no change is missed.
    pub fn new(
        file: ReloadedFile,
        paths: Vec<PathBuf>,
        loaded: Contents,
        load: impl Fn() -> Result<usize, String> + Send + Sync + 'static,
    ) -> Self {
        Self { file, paths, load: Box::new(load), tried: loaded.clone(), seen: loaded }
    }

    /// Whether there is something new that stands still.
    fn has_changed(&mut self) -> bool {
        let now = Contents::of(&self.paths);
        let stands_still = now == self.seen;
        self.seen = now;
        stands_still && self.seen != self.tried
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
                error!(file, error, "not reloaded; what was loaded before stays in use");
            }
        }
    }
}

/// Loads files that have changed, and all of them at each notification, for as long as anybody polls it.
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
        // Not here: a file system that hangs would hang the requests of this thread, too.
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
