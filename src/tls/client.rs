//! The TLS client for connections to one server, with CA certificates that are reloaded when their files
//! change.

use super::pem::{self, PemError};
use super::trust::{client_config, client_config_with_roots};
use rustls::{ClientConfig, RootCertStore};
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The CA certificates to trust for a server, and the client configuration with the current ones. Clones share
/// it.
#[derive(Debug, Clone)]
pub struct ClientTls {
    trust: Trust,
    /// The configuration of new connections. It is replaced as a whole, because it caches TLS sessions: a
    /// session must not be resumed with a server that is no longer trusted.
    config: Arc<RwLock<Arc<ClientConfig>>>,
}

/// Which CA certificates to trust.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The variable that sets the bundle.
    pub variable: String,
    /// A PEM file with the CA certificates to trust. Without one, the system's are trusted.
    pub bundle: Option<PathBuf>,
    /// Whether connections use TLS. If not, the system needs no CA certificates.
    pub is_needed: bool,
    /// The protocol to offer with ALPN, if any.
    pub protocol: Option<&'static [u8]>,
}

/// Why the CA certificates cannot be used. One line that names the variable.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct ClientTlsError {
    variable: String,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("{0}")]
    Bundle(#[from] PemError),
    #[error("no CA certificates were found on this system (SSL_CERT_FILE, SSL_CERT_DIR); set it")]
    NoRoots,
    #[error("a CA certificate of this system cannot be read (SSL_CERT_FILE, SSL_CERT_DIR)")]
    Roots,
    #[error("the TLS client cannot be made ({0})")]
    Tls(#[from] rustls::Error),
}

impl ClientTls {
    /// Reads the CA certificates.
    ///
    /// # Errors
    ///
    /// [`ClientTlsError`], if the bundle cannot be read completely, or if connections use TLS and the system
    /// has no CA certificates.
    pub fn read(trust: Trust) -> Result<Self, ClientTlsError> {
        let (config, _) = trust.config(false)?;
        Ok(Self { trust, config: Arc::new(RwLock::new(config)) })
    }

    /// Reads the CA certificates again, and returns their number. After an error, the previous ones stay in
    /// use. Open connections continue.
    ///
    /// # Errors
    ///
    /// Those of [`ClientTls::read`]; also, if only some of the system's certificates can be read.
    pub fn reload(&self) -> Result<usize, ClientTlsError> {
        let (config, certificates) = self.trust.config(true)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(certificates)
    }

    /// The configuration with the current certificates.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether certificates are read from [`trusted_files`].
    #[must_use]
    pub fn reads_files(&self) -> bool {
        self.trust.bundle.is_some() || self.trust.is_needed
    }
}

/// The files and folders of the CA certificates that a setting names: the bundle, or the values of the
/// variables for the system's certificates.
#[must_use]
pub fn trusted_files(bundle: Option<&Path>) -> Vec<PathBuf> {
    if let Some(bundle) = bundle {
        return vec![bundle.to_owned()];
    }
    let values = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(|name| env::var_os(name).unwrap_or_default());
    let [file, folders] = &values;
    let file = Some(PathBuf::from(file));
    file.into_iter().chain(env::split_paths(folders)).filter(|path| !path.as_os_str().is_empty()).collect()
}

impl Trust {
    /// The configuration, and the number of its CA certificates. `whole`: all of the system's must be readable.
    fn config(&self, whole: bool) -> Result<(Arc<ClientConfig>, usize), ClientTlsError> {
        let made = self.make(whole);
        made.map_err(|reason| ClientTlsError { variable: self.variable.clone(), reason })
    }

    fn make(&self, whole: bool) -> Result<(Arc<ClientConfig>, usize), Reason> {
        let (mut config, count) = if let Some(bundle) = &self.bundle {
            let certificates = pem::certificates(bundle)?;
            let count = certificates.len();
            (client_config(certificates)?, count)
        } else {
            let roots = if self.is_needed { system_roots(whole)? } else { RootCertStore::empty() };
            let count = roots.len();
            (client_config_with_roots(roots)?, count)
        };
        config.alpn_protocols = self.protocol.map(<[u8]>::to_vec).into_iter().collect();
        Ok((Arc::new(config), count))
    }
}

/// The CA certificates of this system: all of them, or as many as can be read.
fn system_roots(all: bool) -> Result<RootCertStore, Reason> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(Reason::NoRoots);
    }
    if all && (unusable > 0 || !found.errors.is_empty()) {
        return Err(Reason::Roots);
    }
    Ok(roots)
}
