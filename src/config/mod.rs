//! All settings: flag, variable, default and meaning. `sts-verify --help` prints these texts.
//!
//! Settings are checked as a whole before a port opens. An error is reported in one line that names the
//! variable, and the program ends with [`EXIT_USAGE`].

mod batch;
pub(crate) mod build;
mod commands;
mod environment;
mod hosts;
mod http;
mod limits;
mod otel;
mod parse;
mod profile;
mod proofs;
mod proxies;
mod store;
mod sts;
mod usage;
mod verify;

pub use batch::BatchArgs;
pub use commands::{ApiKeyArgs, CheckArgs, HealthcheckArgs, LogArgs, LogFormat, SandboxArgs};
pub use hosts::AllowedHosts;
pub use http::HttpArgs;
pub use limits::LimitArgs;
pub use otel::{OtelSettings, Sampling};
pub use parse::{CorsOrigins, Regions};
pub use proofs::{Audiences, ProofArgs};
pub use store::StoreArgs;
pub use sts::{StsArgs, StsRegionalEndpoints};
pub use usage::{NothingToRun, parse_command_line};
pub use verify::{CompletionsArgs, FailOn, ManArgs, VerifyArgs};

use crate::sts::StsSettings;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;

/// The exit code for a wrong setting: `EX_USAGE` of sysexits.h.
pub const EXIT_USAGE: u8 = 64;

/// The environment variables that libraries read by themselves. They are listed here because `--help` is the
/// reference.
const ALSO_READ: &str = "\
Also read from the environment:
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY  proxies for STS; the same names in lower case take precedence
  AWS_DEFAULT_REGION, AWS_DEFAULT_PROFILE       where AWS_REGION and AWS_PROFILE are not set
  REQUESTS_CA_BUNDLE                            where there is no AWS_CA_BUNDLE
  SSL_CERT_FILE, SSL_CERT_DIR                   where the system's CA certificates are

Traces go to a collector over OTLP (http/protobuf) when there is an endpoint; as OpenTelemetry specifies:
  OTEL_EXPORTER_OTLP_ENDPOINT                   the collector, such as http://localhost:4318
  OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _CERTIFICATE, _PROTOCOL
                                                headers to send; milliseconds; CA certificates; http/protobuf alone
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT            the whole URL for traces; so with _TRACES_HEADERS and the others
  OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES   what the traces are said to come from
  OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG  which requests are recorded
  OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_EXPORT_TIMEOUT
                                                how spans are gathered
  OTEL_SDK_DISABLED=true, OTEL_TRACES_EXPORTER=none
                                                no traces, whatever else is set

A flag takes precedence over its variable, a variable over the AWS config file. An empty variable counts as not set.
No credentials are ever read: not from the environment, not from files, not from the instance. A wrong setting
ends the program with exit code 64 and one line on stderr.";

/// Are these AWS credentials valid, and whose are they? Asks AWS STS and answers over HTTP.
#[derive(Debug, Parser)]
#[command(version = build::LONG_VERSION, args_conflicts_with_subcommands = true, after_help = ALSO_READ)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings of `serve`, which is the default command.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer POST /verify (this is the default)
    #[command(after_help = ALSO_READ)]
    Serve(Box<ServeArgs>),
    /// Verify many credentials, from files, scanners' reports or other tools' output: which are valid, and
    /// whose they are
    #[command(after_help = verify::VERIFY_EXAMPLES)]
    Verify(Box<VerifyArgs>),
    /// Run the sandbox: answer GetCallerIdentity for a table of made-up credentials, to try things without AWS
    Sandbox(SandboxArgs),
    /// Request /livez from this machine's own listener; exit 0 if it answers, 1 if not
    Healthcheck(HealthcheckArgs),
    /// Call the STS of each allowed region once, with made-up credentials, and report whether name, route, TLS,
    /// proxy and clock work; exit 0 if they do for all regions, 1 if not. With `*`, a partition that cannot be
    /// reached is skipped
    #[command(after_help = ALSO_READ)]
    Check(CheckArgs),
    /// Make an API key: print it and the line for the file that STS_VERIFY_API_KEYS_FILE names
    ApiKey(ApiKeyArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the man page of the program or of a command
    Man(ManArgs),
}

/// The settings of the service.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Where to listen; with port 0 a free port is used and logged
    #[arg(long, env = "STS_VERIFY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub listen: SocketAddr,
    /// Use a sandbox inside this process instead of AWS. Its answers are not real; not together with an
    /// endpoint URL
    #[arg(long, env = "STS_VERIFY_SANDBOX", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL", value_parser = parse::boolean)]
    pub sandbox: bool,
    /// The log settings.
    #[command(flatten)]
    pub log: LogArgs,
    /// The settings of calls to STS.
    #[command(flatten)]
    pub sts: StsArgs,
    /// The settings of the HTTP service.
    #[command(flatten)]
    pub http: HttpArgs,
    /// The settings of the shared store.
    #[command(flatten)]
    pub store: StoreArgs,
}

impl ServeArgs {
    /// The settings of the STS clients, checked against each other.
    ///
    /// # Errors
    ///
    /// One line, naming the variable that is wrong.
    pub fn sts_settings(&self) -> Result<StsSettings, String> {
        self.http.limits.check(self.http.max_body_bytes)?;
        self.sts.settings(self.sandbox)
    }
}
