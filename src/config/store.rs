//! The settings of the store that replicas share.

use crate::store::{RedisServer, RedisUrl};
use clap::Args;
use std::path::PathBuf;

/// The settings of the store that replicas share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct StoreArgs {
    /// Redis or Valkey, for the state that replicas share: the used proofs, and the request counts of callers.
    /// `redis://`, or `rediss://` for TLS, with `[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, USER and PASSWORD
    /// percent-encoded. The service also starts if it cannot be reached [default: each replica by itself]
    #[arg(long, env = "STS_VERIFY_REDIS_URL", value_name = "URL", value_parser = RedisUrl::parse)]
    pub redis_url: Option<RedisUrl>,
    /// A PEM file of the CA certificates to trust for `rediss://` instead of the system's; reloaded when it
    /// changes
    #[arg(long, env = "STS_VERIFY_REDIS_CA_BUNDLE", value_name = "FILE")]
    pub redis_ca_bundle: Option<PathBuf>,
}

impl StoreArgs {
    /// The server, if there is one. Reads its CA certificates and sends nothing.
    ///
    /// # Errors
    ///
    /// One line, naming the variable that is wrong.
    pub fn server(&self) -> Result<Option<RedisServer>, String> {
        const CA_BUNDLE: &str = RedisServer::CA_BUNDLE;
        let encrypted = self.redis_url.as_ref().is_some_and(RedisUrl::is_encrypted);
        if self.redis_ca_bundle.is_some() && !encrypted {
            return Err(format!("{CA_BUNDLE}: means nothing without a STS_VERIFY_REDIS_URL of rediss://"));
        }
        let server = |url: &RedisUrl| RedisServer::new(url.clone(), self.redis_ca_bundle.as_deref());
        self.redis_url.as_ref().map(server).transpose().map_err(|error| error.to_string())
    }
}
