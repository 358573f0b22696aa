//! The files in the settings, and the functions that reload them.

use crate::callers::api_keys::ApiKeys;
use crate::cli::Failure;
use crate::config::ServeArgs;
use crate::observability::metrics::ReloadedFile;
use crate::policy::{Policies, PoliciesFile, PoliciesFileError, PolicyContext};
use crate::proof::Accept;
use crate::server::reload::{Contents, WatchedFiles};
use crate::server::tls::Tls;
use crate::sts::{StsSettings, Transport};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::warn;

/// The contents of the files.
pub(super) struct Files {
    pub api_keys: Option<Arc<ApiKeys>>,
    pub tls: Option<Tls>,
    pub policies: Option<Arc<PoliciesFile>>,
    pub transport: Transport,
    /// All files, for reloading.
    pub watched: Vec<WatchedFiles>,
}

impl Files {
    /// Loads the files. Nothing is sent.
    pub(super) fn load(args: &ServeArgs, sts: &StsSettings, accept: Accept) -> Result<Self, Failure> {
        let mut watched = Vec::new();
        let http = &args.http;
        let (file, digests) = (http.api_keys_file.as_deref(), http.api_keys.as_deref());
        let seen = Seen::of(file);
        let api_keys = ApiKeys::from_settings(file, digests)?.map(Arc::new);
        if let (Some(seen), Some(keys)) = (seen, api_keys.clone()) {
            watched.push(seen.watch(ReloadedFile::ApiKeys, move || keys.reload()));
        }

        let pair = http.tls_files()?;
        let seen = Seen::of(pair.into_iter().flat_map(|(certificate, key)| [certificate, key]));
        let tls = pair.map(|(certificate, key)| Tls::read(certificate, key)).transpose()?;
        if let (Some(seen), Some(tls)) = (seen, tls.clone()) {
            watched.push(seen.watch(ReloadedFile::Tls, move || tls.reload()));
        }

        let file = http.proofs.policies_file.as_deref();
        let seen = Seen::of(file);
        let policies = file.map(|path| PoliciesFile::read(path, PolicyContext { accept })).transpose()?;
        let policies = policies.map(Arc::new);
        if let (Some(seen), Some(policies)) = (seen, policies.clone()) {
            watched.push(seen.watch(ReloadedFile::Policies, move || {
                let before = policies.current();
                let count = policies.reload()?;
                let known = before.with_role_paths();
                warn_of_role_paths(&policies.current(), &known);
                Ok::<_, PoliciesFileError>(count)
            }));
        }

        let seen = Seen::of(sts.ca_bundle.as_ref().map(|bundle| bundle.file.as_path()));
        let transport = Transport::new(sts)?;
        if let Some(seen) = seen {
            let transport = transport.clone();
            watched.push(seen.watch(ReloadedFile::CaBundle, move || transport.reload()));
        }
        Ok(Self { api_keys, tls, policies, transport, watched })
    }
}

/// The contents of files before they were loaded, so that no change in between is missed.
struct Seen(Vec<PathBuf>, Contents);

impl Seen {
    fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Option<Self> {
        let paths: Vec<_> = paths.into_iter().map(Path::to_owned).collect();
        let contents = Contents::of(&paths);
        (!paths.is_empty()).then_some(Self(paths, contents))
    }

    fn watch<E: Display>(
        self,
        file: ReloadedFile,
        load: impl Fn() -> Result<usize, E> + Send + Sync + 'static,
    ) -> WatchedFiles {
        let Self(paths, contents) = self;
        WatchedFiles::new(file, paths, contents, move || load().map_err(|error| error.to_string()))
    }
}

/// Warns of policies with a pattern that no signed request can match, except those that were known before.
pub(super) fn warn_of_role_paths(policies: &Policies, known: &[&str]) {
    for policy in policies.with_role_paths().into_iter().filter(|policy| !known.contains(policy)) {
        warn!(
            policy,
            "a pattern has the path of a role: no signed request matches it, since GetCallerIdentity does not return the path"
        );
    }
}
