//! The files in the settings, and the functions that reload them.

use crate::callers::api_keys::ApiKeys;
use crate::cli::Failure;
use crate::config::{OtelSettings, ServeArgs};
use crate::observability::metrics::ReloadedFile;
use crate::observability::otlp::Exporter;
use crate::policy::{Policies, PoliciesFile, PoliciesFileError, PolicyContext};
use crate::proof::Accept;
use crate::server::reload::{Contents, WatchedFiles};
use crate::server::tls::Tls;
use crate::store::RedisServer;
use crate::sts::{StsSettings, Transport};
use crate::tls::{ClientTls, trusted_files};
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
    pub redis: Option<RedisServer>,
    /// The exporter of traces, if one is set.
    pub exporter: Option<Exporter>,
    /// All files, for reloading.
    pub watched: Vec<WatchedFiles>,
}

impl Files {
    /// Loads the files. Nothing is sent.
    pub(super) fn load(args: &ServeArgs, sts: &StsSettings, accept: Accept) -> Result<Self, Failure> {
        let mut watched = Watched::default();
        let http = &args.http;
        let (file, digests) = (http.api_keys_file.as_deref(), http.api_keys.as_deref());
        let seen = Seen::of(file);
        let api_keys = ApiKeys::from_settings(file, digests)?.map(Arc::new);
        watched.push(ReloadedFile::ApiKeys, seen, api_keys.clone(), |keys| keys.reload());

        let pair = http.tls_files()?;
        let seen = Seen::of(pair.into_iter().flat_map(|(certificate, key)| [certificate, key]));
        let tls = pair.map(|(certificate, key)| Tls::read(certificate, key)).transpose()?;
        watched.push(ReloadedFile::Tls, seen, tls.clone(), Tls::reload);

        let file = http.proofs.policies_file.as_deref();
        let seen = Seen::of(file);
        let policies = file.map(|path| PoliciesFile::read(path, PolicyContext { accept })).transpose()?;
        let policies = policies.map(Arc::new);
        watched.push(ReloadedFile::Policies, seen, policies.clone(), |policies| reload_policies(policies));

        let seen = Seen::of_trusted(sts.ca_bundle.as_ref().map(|bundle| bundle.file.as_path()));
        let transport = Transport::new(sts)?;
        watched.push_trusted(ReloadedFile::CaBundle, seen, Some(transport.tls()));

        let seen = Seen::of_trusted(args.store.redis_ca_bundle.as_deref());
        let redis = args.store.server()?;
        watched.push_trusted(ReloadedFile::RedisCaBundle, seen, redis.as_ref().and_then(RedisServer::tls));

        let settings = OtelSettings::from_environment()?;
        let bundle = settings.as_ref().and_then(|settings| settings.ca_bundle.as_ref());
        let seen = Seen::of_trusted(bundle.map(|(_, file)| file.as_path()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let exporter = settings.map(|settings| Exporter::new(&settings, scheme)).transpose()?;
        watched.push_trusted(ReloadedFile::OtlpCaBundle, seen, exporter.as_ref().map(Exporter::tls));
        Ok(Self { api_keys, tls, policies, transport, redis, exporter, watched: watched.0 })
    }
}

fn reload_policies(policies: &PoliciesFile) -> Result<usize, PoliciesFileError> {
    let before = policies.current();
    let count = policies.reload()?;
    warn_of_role_paths(&policies.current(), &before.with_role_paths());
    Ok(count)
}

/// The files to watch.
#[derive(Default)]
struct Watched(Vec<WatchedFiles>);

impl Watched {
    /// Adds files, and the function that reloads them into `loaded`.
    fn push<T: Send + Sync + 'static, E: Display + 'static>(
        &mut self,
        file: ReloadedFile,
        seen: Option<Seen>,
        loaded: Option<T>,
        reload: fn(&T) -> Result<usize, E>,
    ) {
        let (Some(Seen(paths, contents)), Some(loaded)) = (seen, loaded) else { return };
        let load = move || reload(&loaded).map_err(|error| error.to_string());
        self.0.push(WatchedFiles::new(file, paths, contents, load));
    }

    /// The same for CA certificates.
    fn push_trusted(&mut self, file: ReloadedFile, seen: Option<Seen>, tls: Option<&ClientTls>) {
        self.push(file, seen, tls.filter(|tls| tls.reads_files()).cloned(), ClientTls::reload);
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

    /// The files of the CA certificates: this bundle, or the system's.
    fn of_trusted(bundle: Option<&Path>) -> Option<Self> {
        let files = trusted_files(bundle);
        Self::of(files.iter().map(PathBuf::as_path))
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
