//! TLS for our own callers: a certificate chain and its key from PEM files, loaded at the start and when they
//! change ([`crate::server::reload`]). Versions 1.2 and 1.3, with rustls's default cipher suites.

use crate::tls::pem::{self, PemError};
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// The only supported protocol, the same as without TLS.
const ALPN: &[u8] = b"http/1.1";

/// The files, and their last contents. Clones share these.
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// New handshakes use the current value; existing connections keep theirs.
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

/// Why the files cannot be used. No text repeats their contents.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file cannot be read, or only in part.
    #[error("STS_VERIFY_TLS_CERT_FILE: {0}")]
    Certificate(PemError),
    /// The key's file cannot be read, or contains none.
    #[error("STS_VERIFY_TLS_KEY_FILE: {0}")]
    Key(PemError),
    /// The key does not belong to the certificate.
    #[error("STS_VERIFY_TLS_KEY_FILE: the key is not that of the certificate in STS_VERIFY_TLS_CERT_FILE")]
    Mismatch,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// One line that names the variable and the error.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let (config, _) = read_files(certificate, key)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            config: Arc::new(RwLock::new(config)),
        })
    }

    /// Reloads the files and returns the number of certificates in the chain. After an error the previous ones
    /// stay.
    ///
    /// # Errors
    ///
    /// The same as for [`Tls::read`].
    pub fn reload(&self) -> Result<usize, TlsError> {
        let (config, certificates) = read_files(&self.certificate, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(certificates)
    }

    /// Accepts a connection with the current certificate.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read_files(certificate: &Path, key: &Path) -> Result<(Arc<ServerConfig>, usize), TlsError> {
    let chain = pem::certificates(certificate).map_err(TlsError::Certificate)?;
    let key = pem::private_key(key).map_err(TlsError::Key)?;
    let certificates = chain.len();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsError::Mismatch,
            Error::InvalidCertificate(_) => TlsError::Certificate(PemError::NoCertificate),
            _ => TlsError::Key(PemError::NoKey),
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok((Arc::new(config), certificates))
}
