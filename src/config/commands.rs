//! Settings of every command, and of the commands beside `serve`.

use super::{StsArgs, parse};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What is written to stdout, and how.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace), or levels by module as in `info,sts_verify=debug`.
    /// The AWS SDK never logs below info: its lines name access keys
    #[arg(long, env = "STS_VERIFY_LOG", default_value = "info", value_name = "LEVEL", value_parser = parse::log_filter)]
    pub log: tracing_subscriber::filter::Targets,
    /// How a line looks
    #[arg(long, env = "STS_VERIFY_LOG_FORMAT", default_value = "text", value_enum, ignore_case = true)]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One flat JSON object a line.
    Json,
}

/// Settings of the sandbox alone.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where to listen
    #[arg(long, env = "STS_VERIFY_SANDBOX_LISTEN", default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub listen: SocketAddr,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Settings of the check: those by which the service would ask STS.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// How STS is asked.
    #[command(flatten)]
    pub sts: StsArgs,
}

/// Settings of the health check.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// The listener to ask, as it is given to `serve`; an unspecified address is asked on loopback
    #[arg(long, env = "STS_VERIFY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub listen: SocketAddr,
    /// As it is given to `serve`: when it is set, the listener is asked over TLS. It may have any certificate
    #[arg(long, env = "STS_VERIFY_TLS_CERT_FILE", value_name = "FILE", value_parser = parse::existing_file)]
    pub tls_cert_file: Option<PathBuf>,
}

/// What a new API key is to be called.
#[derive(Debug, Args)]
pub struct ApiKeyArgs {
    /// What the log calls the key, such as its caller's name [default: the start of its digest]
    #[arg(value_name = "NAME", value_parser = parse::key_name)]
    pub name: Option<String>,
}
