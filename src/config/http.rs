//! The settings of the HTTP service.

use super::{AllowedHosts, BatchArgs, CorsOrigins, LimitArgs, ProofArgs, hosts, parse};
use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings of the HTTP service.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpArgs {
    /// The origins that may call from a browser: `*`, or a comma-separated list such as https://a.example
    #[arg(long, env = "STS_VERIFY_CORS_ORIGINS", default_value = "*", value_name = "ORIGINS", value_parser = parse::cors_origins)]
    pub cors_origins: CorsOrigins,
    /// The hosts for which requests are accepted, comma-separated: names, `*.` before one for all names below
    /// it, addresses, each with a port or without. Requests for other hosts get 421; health is answered for any
    /// host. Protects against pages that resolve their own name to this address (DNS rebinding) [default: any
    /// host]
    #[arg(long, env = "STS_VERIFY_ALLOWED_HOSTS", value_name = "HOSTS", value_parser = hosts::allowed_hosts)]
    pub allowed_hosts: Option<AllowedHosts>,
    /// Serve Swagger UI at /docs. It shows the curl command of a request with the secrets in it
    #[arg(long, env = "STS_VERIFY_DOCS", default_value = "true", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub docs: bool,
    /// Serve the Lambda interface, POST /2015-03-31/functions/{function}/invocations
    #[arg(long, env = "STS_VERIFY_LAMBDA", default_value = "true", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub lambda: bool,
    /// A file with the SHA-256 digests of API keys, each with an optional name; reloaded when it changes. Only
    /// callers with one of the keys are accepted then, by `Authorization: Bearer KEY` or `x-api-key: KEY`;
    /// `sts-verify api-key` makes one [default: every caller is accepted]
    #[arg(long, env = "STS_VERIFY_API_KEYS_FILE", value_name = "FILE")]
    pub api_keys_file: Option<PathBuf>,
    /// The digests themselves, separated by commas, semicolons, spaces or line ends, where no file can be
    /// mounted; not together with the file [default: every caller is accepted]
    #[arg(long, env = "STS_VERIFY_API_KEYS", value_name = "DIGESTS")]
    pub api_keys: Option<String>,
    /// A PEM file with the certificate for TLS and its intermediates; reloaded when it changes [default: plain
    /// HTTP]
    #[arg(long, env = "STS_VERIFY_TLS_CERT_FILE", value_name = "FILE")]
    pub tls_cert_file: Option<PathBuf>,
    /// A PEM file with the certificate's private key; both or neither, reloaded together
    #[arg(long, env = "STS_VERIFY_TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key_file: Option<PathBuf>,
    /// Where to serve GET /metrics for Prometheus, and only there [default: on the main listener]
    #[arg(long, env = "STS_VERIFY_METRICS_LISTEN", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub metrics_listen: Option<SocketAddr>,
    /// The maximum length of a request body, in bytes
    #[arg(long, env = "STS_VERIFY_MAX_BODY_BYTES", default_value = "65536", value_name = "BYTES", value_parser = parse::count)]
    pub max_body_bytes: usize,
    /// The maximum number of requests that wait for STS at once; further ones get 503 with Retry-After. If all
    /// permits are held, a new request can take one from the region or caller that holds most
    #[arg(long, env = "STS_VERIFY_MAX_IN_FLIGHT", default_value = "512", value_name = "N", value_parser = parse::count)]
    pub max_in_flight: usize,
    /// How long the head of a request may take to arrive, and its body after that
    #[arg(long, env = "STS_VERIFY_READ_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = parse::duration)]
    pub read_timeout: Duration,
    /// How long a client may read nothing of its response before the connection is closed
    #[arg(long, env = "STS_VERIFY_WRITE_TIMEOUT", default_value = "30s", value_name = "TIME", value_parser = parse::duration)]
    pub write_timeout: Duration,
    /// How long a connection may be idle between requests; must be longer than the load balancer's own limit
    /// (60s by default at AWS)
    #[arg(long, env = "STS_VERIFY_KEEP_ALIVE", default_value = "75s", value_name = "TIME", value_parser = parse::duration)]
    pub keep_alive: Duration,
    /// How long to continue serving after SIGTERM, while /readyz answers 503 and load balancers remove this
    /// service
    #[arg(long, env = "STS_VERIFY_STOP_DELAY", default_value = "5s", value_name = "TIME", value_parser = parse::duration_or_zero)]
    pub stop_delay: Duration,
    /// How long the requests in flight may take to end after that
    #[arg(long, env = "STS_VERIFY_DRAIN_TIMEOUT", default_value = "20s", value_name = "TIME", value_parser = parse::duration_or_zero)]
    pub drain_timeout: Duration,
    /// The limits for callers.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The limits of one batch.
    #[command(flatten)]
    pub batch: BatchArgs,
    /// The settings about proofs.
    #[command(flatten)]
    pub proofs: ProofArgs,
}

impl HttpArgs {
    /// Whether /metrics is not served on the public listener.
    #[must_use]
    pub fn own_metrics_listener(&self) -> bool {
        self.metrics_listen.is_some()
    }

    /// The files of the certificate and of its key, if TLS is used.
    ///
    /// # Errors
    ///
    /// One line, when only one of them is set.
    pub fn tls_files(&self) -> Result<Option<(&Path, &Path)>, String> {
        match (&self.tls_cert_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err("STS_VERIFY_TLS_CERT_FILE: needs STS_VERIFY_TLS_KEY_FILE, too".to_owned()),
            (None, Some(_)) => Err("STS_VERIFY_TLS_KEY_FILE: needs STS_VERIFY_TLS_CERT_FILE, too".to_owned()),
        }
    }
}
