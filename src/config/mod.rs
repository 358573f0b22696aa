//! Every setting: its flag, its variable, its default and what it means. `sts-verify --help` prints this file.
//!
//! Settings are checked as a whole before a port opens. What is wrong with one is said in one line that names its
//! variable, and the program ends with [`EXIT_USAGE`].

mod limits;
mod otel;
mod parse;
mod usage;
mod verify;

pub use limits::LimitArgs;
pub use otel::{Batch, OtelSettings, Sampling};
pub use parse::{CorsOrigins, Regions};
pub use usage::parse_command_line;
pub use verify::{CompletionsArgs, FailOn, ManArgs, VerifyArgs};

use crate::sts::{RetryMode, RetryPolicy, StsSettings};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use std::{net::SocketAddr, time::Duration};

/// The exit code for a setting that is wrong: `EX_USAGE` of sysexits.h.
pub const EXIT_USAGE: u8 = 64;

/// The environment variables that libraries read by themselves; listed here because `--help` is the reference.
const ALSO_READ: &str = "\
Also read from the environment:
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY  the way to STS (in lower case, too)
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

An empty variable counts as one that is not set. No credentials are ever read: not from the environment, not from
files, not from the instance. A wrong setting ends the program with exit code 64 and one line on stderr.";

/// Are these AWS credentials good, and whose are they? Asks AWS STS and answers over HTTP.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = ALSO_READ)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings of `serve`, which is what is done when no command is named.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer POST /verify (this is the default)
    #[command(after_help = ALSO_READ)]
    Serve(Box<ServeArgs>),
    /// Say of many credentials which are alive and whose: of files, scanners' reports, other tools' output
    #[command(after_help = verify::VERIFY_EXAMPLES)]
    Verify(Box<VerifyArgs>),
    /// Stand in for STS: answer GetCallerIdentity for a table of made-up credentials, to try things without AWS
    Sandbox(SandboxArgs),
    /// Ask the /livez of this machine's own listener; exit 0 if it answers, 1 if not
    Healthcheck(HealthcheckArgs),
    /// Ask the STS of each allowed region once, with made-up credentials, and say whether name, route, TLS, proxy and clock
    /// are good; exit 0 if they are for all regions, 1 if not
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

/// Settings of the service.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one and logs it
    #[arg(long, env = "STS_VERIFY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub listen: SocketAddr,
    /// Ask a stand-in inside this process instead of AWS. Nothing it says is real; refused together with an endpoint URL
    #[arg(long, env = "STS_VERIFY_SANDBOX", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL", value_parser = parse::boolean)]
    pub sandbox: bool,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
    /// How STS is asked.
    #[command(flatten)]
    pub sts: StsArgs,
    /// What callers may do.
    #[command(flatten)]
    pub http: HttpArgs,
}

/// How STS is asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "STS")]
pub struct StsArgs {
    /// The region whose STS is asked when a request names none
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1", value_name = "REGION", value_parser = parse::region)]
    pub region: String,
    /// The regions a request may name: a list by commas, or `*` for every region of AWS [default: the region above; with --sandbox: *]
    #[arg(long, env = "STS_VERIFY_ALLOWED_REGIONS", value_name = "REGIONS", value_parser = parse::regions)]
    pub allowed_regions: Option<Regions>,
    /// An endpoint to ask instead of AWS's own, for every region, such as that of a VPC endpoint
    #[arg(long, env = "AWS_ENDPOINT_URL_STS", value_name = "URL", value_parser = parse::endpoint_url)]
    pub endpoint_url_sts: Option<String>,
    /// The same for all services; the one above goes first
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL", value_parser = parse::endpoint_url)]
    pub endpoint_url: Option<String>,
    /// Ask the FIPS 140 endpoints
    #[arg(long, env = "AWS_USE_FIPS_ENDPOINT", default_value = "false", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub use_fips_endpoint: bool,
    /// Ask the endpoints that have IPv6 addresses, too
    #[arg(long, env = "AWS_USE_DUALSTACK_ENDPOINT", default_value = "false", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub use_dualstack_endpoint: bool,
    /// A PEM file of the CA certificates to trust instead of the system's
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// boto3's rules for when to try again; adaptive is taken as standard
    #[arg(long, env = "AWS_RETRY_MODE", default_value = "legacy", value_enum, ignore_case = true)]
    pub retry_mode: RetryMode,
    /// How many attempts in all, the first included [default: 5 in legacy mode, else 3]
    #[arg(long, env = "AWS_MAX_ATTEMPTS", value_name = "N", value_parser = parse::attempts)]
    pub max_attempts: Option<u32>,
    /// The longest wait before the second attempt; it doubles for each further one, up to 20s
    #[arg(long, env = "STS_VERIFY_RETRY_BACKOFF", default_value = "1s", value_name = "TIME", value_parser = parse::duration)]
    pub retry_backoff: Duration,
    /// How many connections to STS may be in use at once; further requests in flight wait for one
    #[arg(long, env = "STS_VERIFY_MAX_STS_CONNECTIONS", default_value = "512", value_name = "N", value_parser = parse::count)]
    pub max_sts_connections: usize,
    /// How long the TCP and TLS handshakes may take
    #[arg(long, env = "STS_VERIFY_CONNECT_TIMEOUT", default_value = "2s", value_name = "TIME", value_parser = parse::duration)]
    pub connect_timeout: Duration,
    /// How long one attempt may take
    #[arg(long, env = "STS_VERIFY_ATTEMPT_TIMEOUT", default_value = "5s", value_name = "TIME", value_parser = parse::duration)]
    pub attempt_timeout: Duration,
    /// How long all attempts may take with the waits between them; API Gateway gives up after 29s
    #[arg(long, env = "STS_VERIFY_DEADLINE", default_value = "20s", value_name = "TIME", value_parser = parse::duration)]
    pub deadline: Duration,
}

/// What callers may do.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpArgs {
    /// The origins that may call from a browser: `*`, or a list by commas such as https://a.example
    #[arg(long, env = "STS_VERIFY_CORS_ORIGINS", default_value = "*", value_name = "ORIGINS", value_parser = parse::cors_origins)]
    pub cors_origins: CorsOrigins,
    /// Serve Swagger UI at /docs. It shows the curl command of a request with the secrets in it
    #[arg(long, env = "STS_VERIFY_DOCS", default_value = "true", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub docs: bool,
    /// Serve the Lambda's own interface, POST /2015-03-31/functions/{function}/invocations
    #[arg(long, env = "STS_VERIFY_LAMBDA", default_value = "true", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub lambda: bool,
    /// A file with the SHA-256 digests of API keys, each with a name or not, read again on SIGHUP. Only callers with one of the keys may
    /// ask then, by `Authorization: Bearer KEY` or `x-api-key: KEY`; `sts-verify api-key` makes one [default: everybody may]
    #[arg(long, env = "STS_VERIFY_API_KEYS_FILE", value_name = "FILE")]
    pub api_keys_file: Option<PathBuf>,
    /// The digests themselves, with commas, semicolons, spaces or line ends between them, where no file can be mounted; not together with
    /// the file [default: everybody may]
    #[arg(long, env = "STS_VERIFY_API_KEYS", value_name = "DIGESTS")]
    pub api_keys: Option<String>,
    /// A PEM file with the certificate to serve TLS with and those that lead to its CA; read again on SIGHUP [default: plain HTTP]
    #[arg(long, env = "STS_VERIFY_TLS_CERT_FILE", value_name = "FILE")]
    pub tls_cert_file: Option<PathBuf>,
    /// A PEM file with its private key; both or neither
    #[arg(long, env = "STS_VERIFY_TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key_file: Option<PathBuf>,
    /// Where to serve GET /metrics for Prometheus, and there only [default: on the listener of everything else]
    #[arg(long, env = "STS_VERIFY_METRICS_LISTEN", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    pub metrics_listen: Option<SocketAddr>,
    /// The longest request body, in bytes
    #[arg(long, env = "STS_VERIFY_MAX_BODY_BYTES", default_value = "65536", value_name = "BYTES", value_parser = parse::count)]
    pub max_body_bytes: usize,
    /// How many requests may wait for STS at once; those above get 503 with Retry-After. When all permits are held, a newcomer takes one from the region or caller that holds most
    #[arg(long, env = "STS_VERIFY_MAX_IN_FLIGHT", default_value = "512", value_name = "N", value_parser = parse::count)]
    pub max_in_flight: usize,
    /// How long the first request's head, and any request's body, may take to arrive
    #[arg(long, env = "STS_VERIFY_READ_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = parse::duration)]
    pub read_timeout: Duration,
    /// How long a connection may be idle between requests; longer than the load balancer's own (60s by default at AWS)
    #[arg(long, env = "STS_VERIFY_KEEP_ALIVE", default_value = "75s", value_name = "TIME", value_parser = parse::duration)]
    pub keep_alive: Duration,
    /// How long to go on serving after SIGTERM, while /readyz says 503 and load balancers look away
    #[arg(long, env = "STS_VERIFY_STOP_DELAY", default_value = "5s", value_name = "TIME", value_parser = parse::duration_or_zero)]
    pub stop_delay: Duration,
    /// How long the requests in flight may take to end after that
    #[arg(long, env = "STS_VERIFY_DRAIN_TIMEOUT", default_value = "20s", value_name = "TIME", value_parser = parse::duration_or_zero)]
    pub drain_timeout: Duration,
    /// What keeps callers within bounds.
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl HttpArgs {
    /// Whether /metrics is kept off the public listener.
    #[must_use]
    pub fn own_metrics_listener(&self) -> bool {
        self.metrics_listen.is_some()
    }
}

impl HttpArgs {
    /// The files of the certificate and of its key, if TLS is to be served.
    ///
    /// # Errors
    ///
    /// One line, when there is one without the other.
    pub fn tls_files(&self) -> Result<Option<(&Path, &Path)>, String> {
        match (&self.tls_cert_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err("STS_VERIFY_TLS_CERT_FILE: needs STS_VERIFY_TLS_KEY_FILE, too".to_owned()),
            (None, Some(_)) => Err("STS_VERIFY_TLS_KEY_FILE: needs STS_VERIFY_TLS_CERT_FILE, too".to_owned()),
        }
    }
}

impl ServeArgs {
    /// The settings of the STS clients, checked against each other.
    ///
    /// # Errors
    ///
    /// One line, naming the variable that is wrong.
    pub fn sts_settings(&self) -> Result<StsSettings, String> {
        self.http.limits.check()?;
        self.sts.settings(self.sandbox)
    }
}

impl StsArgs {
    /// The same, for a service with a sandbox of its own or without.
    ///
    /// # Errors
    ///
    /// One line, naming the variable that is wrong.
    pub fn settings(&self, sandbox: bool) -> Result<StsSettings, String> {
        let endpoint_url = self.endpoint_url_sts.clone().or_else(|| self.endpoint_url.clone());
        if sandbox && endpoint_url.is_some() {
            return Err("STS_VERIFY_SANDBOX: the sandbox asks its own stand-in; \
                        unset AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL, or leave the sandbox off"
                .to_owned());
        }
        if self.attempt_timeout > self.deadline {
            return Err("STS_VERIFY_ATTEMPT_TIMEOUT: must not be longer than STS_VERIFY_DEADLINE".to_owned());
        }
        if self.connect_timeout > self.attempt_timeout {
            return Err(
                "STS_VERIFY_CONNECT_TIMEOUT: must not be longer than STS_VERIFY_ATTEMPT_TIMEOUT".to_owned()
            );
        }
        parse::check_proxies()?;
        let every = if sandbox { Regions::All } else { Regions::List(Vec::new()) };
        let max_attempts = self.max_attempts.unwrap_or(self.retry_mode.default_max_attempts());
        Ok(StsSettings {
            region: self.region.clone(),
            allowed_regions: self.allowed_regions.as_ref().unwrap_or(&every).names(),
            endpoint_url,
            use_fips: self.use_fips_endpoint,
            use_dual_stack: self.use_dualstack_endpoint,
            ca_bundle: self.ca_bundle.clone(),
            proxy_from_environment: !sandbox,
            max_connections: self.max_sts_connections,
            connect_timeout: self.connect_timeout,
            attempt_timeout: self.attempt_timeout,
            deadline: self.deadline,
            retry: RetryPolicy { mode: self.retry_mode, max_attempts, backoff: self.retry_backoff },
        })
    }
}
