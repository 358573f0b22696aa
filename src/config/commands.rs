//! The settings of all commands, and of the commands other than `serve`.

use super::{StsArgs, parse};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The contents and the form of the log on stdout.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace), or levels by module as in
    /// `info,sts_verify=debug`. The AWS SDK never logs below info: its lines name access keys
    #[arg(long, env = "STS_VERIFY_LOG", default_value = "info", value_name = "LEVEL", value_parser = parse::log_filter)]
    pub log: tracing_subscriber::filter::Targets,
    /// The form of a log line
    #[arg(long, env = "STS_VERIFY_LOG_FORMAT", default_value = "text", value_enum, ignore_case = true)]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One flat JSON object per line.
    Json,
}

/// The settings of the sandbox command.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where to listen
    #[arg(long, env = "STS_VERIFY_SANDBOX_LISTEN", default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub listen: SocketAddr,
    /// The log settings.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The settings of the check: those of the service's calls to STS.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The settings of calls to STS.
    #[command(flatten)]
    pub sts: StsArgs,
}

/// The settings of the health check.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// The listener to check, as set for `serve`; for an unspecified address loopback is used
    #[arg(long, env = "STS_VERIFY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub listen: SocketAddr,
    /// As set for `serve`: if it is set, the listener is called over TLS. It may have any certificate
    #[arg(long, env = "STS_VERIFY_TLS_CERT_FILE", value_name = "FILE", value_parser = parse::existing_file)]
    pub tls_cert_file: Option<PathBuf>,
}

/// The name of a new API key.
#[derive(Debug, Args)]
pub struct ApiKeyArgs {
    /// The name of the key in the log, such as its caller's name [default: the start of its digest]
    #[arg(value_name = "NAME", value_parser = parse::key_name)]
    pub name: Option<String>,
}
