//! The command line of `sts-verify`.

use mimalloc::MiMalloc;
use secrecy::ExposeSecret as _;
use std::error::Error;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use sts_verify::api_keys::{ApiKeys, NewKey};
use sts_verify::app::{document, internal_routes, router};
use sts_verify::config::{ApiKeyArgs, Cli, Command, EXIT_USAGE, SandboxArgs, ServeArgs, parse_command_line};
use sts_verify::limits::take_file_descriptors;
use sts_verify::otlp::Exporter;
use sts_verify::server::{self, Stop};
use sts_verify::state::AppState;
use sts_verify::sts::{Sts, StsSettings, Transport};
use sts_verify::tls::Tls;
use sts_verify::{check, hardening, healthcheck, reload, sandbox, telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};
use zeroizing_alloc::ZeroAlloc;

/// musl's allocator is several times slower under load. What is freed is wiped, so that secrets do not outlive their use in
/// the copies that the SDK, hyper and parsers make of them.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

/// The exit code after a second signal: the process did not wait for its requests.
const EXIT_INTERRUPTED: i32 = 130;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = match parse_command_line(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error, ExitCode::FAILURE),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err((error, code)) => report(error.as_ref(), code),
    }
}

/// One line on stderr: the log may not be open yet, and may not be read.
fn report(error: &(dyn Error + 'static), code: ExitCode) -> ExitCode {
    eprintln!("sts-verify: {error}");
    code
}

async fn run(cli: Cli) -> Result<(), (Failure, ExitCode)> {
    let failure = |error: Failure| (error, ExitCode::FAILURE);
    let usage = |error: Failure| (error, ExitCode::from(EXIT_USAGE));
    match cli.command.unwrap_or_else(|| Command::Serve(Box::new(cli.serve))) {
        Command::Serve(args) => {
            let checked = prepare(&args).await.map_err(usage)?;
            serve(&args, checked).await.map_err(failure)
        }
        Command::Sandbox(args) => serve_sandbox(&args).await.map_err(failure),
        Command::Healthcheck(args) => {
            healthcheck::run(args.listen, args.tls_cert_file.is_some()).await.map_err(failure)
        }
        Command::ApiKey(args) => print_key(&args).map_err(failure),
        Command::Check(args) => {
            let settings = args.sts.settings(false).map_err(|error| usage(error.into()))?;
            let sts = check::sts(settings).await.map_err(|error| usage(error.into()))?;
            check::run(sts, print).await.map_err(failure)
        }
        Command::Openapi => {
            let text = document().to_pretty_json().map_err(|error| failure(error.into()))?;
            print(&text).map_err(|error| failure(error.into()))
        }
    }
}

/// What the settings name, read and found to be good.
struct Checked {
    sts: Sts,
    /// The sandbox's listener, when there is one.
    stand_in: Option<TcpListener>,
    api_keys: Option<Arc<ApiKeys>>,
    tls: Option<Tls>,
    /// Where traces go, when somebody wants them.
    exporter: Option<Exporter>,
}

/// Everything that can be wrong with the settings comes out here, before a port opens. The sandbox's endpoint is not
/// known before its listener is, which is on a free port of loopback and is part of its clients' settings.
async fn prepare(args: &ServeArgs) -> Result<Checked, Failure> {
    let mut settings: StsSettings = args.sts_settings()?;
    let stand_in = args.sandbox.then(|| TcpListener::bind("127.0.0.1:0")).transpose()?;
    if let Some(listener) = &stand_in {
        settings.endpoint_url = Some(format!("http://{}", listener.local_addr()?));
    }
    let (file, digests) = (args.http.api_keys_file.as_deref(), args.http.api_keys.as_deref());
    let api_keys = ApiKeys::from_settings(file, digests)?.map(Arc::new);
    let tls = args.http.tls_files()?.map(|(certificate, key)| Tls::read(certificate, key)).transpose()?;
    let transport = Transport::new(&settings)?;
    let sts = Sts::new(&settings, &transport).await?;
    let exporter = Exporter::from_environment(if tls.is_some() { "https" } else { "http" })?;
    Ok(Checked { sts, stand_in, api_keys, tls, exporter })
}

async fn serve(args: &ServeArgs, checked: Checked) -> Result<(), Failure> {
    let Checked { sts, stand_in, api_keys, tls, exporter } = checked;
    telemetry::init(&args.log)?;
    let exporter = exporter.map(telemetry::export);
    if let Err(error) = hardening::forbid_core_dumps() {
        warn!(%error, "a crash may leave a core dump with secrets in it");
    }
    // Each request in flight has one connection to STS at most.
    let max_sts_connections = args.sts.max_sts_connections.min(args.http.max_in_flight);
    take_file_descriptors(args.http.limits.max_connections, max_sts_connections);
    let signals = Signals::new()?;
    let hangups = signal(SignalKind::hangup())?;
    let listener = bind(args.listen)?;
    let sandboxed = stand_in.is_some();
    if let Some(stand_in) = stand_in {
        warn!(
            "SANDBOX: nothing is real; credentials are checked against a table of made-up ones, AWS is not asked"
        );
        print(&sandbox::print_table())?;
        tokio::spawn(sandbox::serve(tokio_listener(stand_in)?, std::future::pending()));
    }
    info!(address = %listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "listening");
    if tls.is_none() && !listener.local_addr()?.ip().is_loopback() {
        warn!(
            "plain HTTP on an address that others can reach: who sees the traffic sees the credentials; set \
             STS_VERIFY_TLS_CERT_FILE and STS_VERIFY_TLS_KEY_FILE, or put a load balancer with TLS before it"
        );
    }
    let state = AppState::new(sts, &args.http)?.with_api_keys(api_keys);
    if let Some(address) = args.http.metrics_listen {
        let listener = bind(address)?;
        info!(address = %listener.local_addr()?, "metrics listening");
        let (routes, http) = (internal_routes(&state), args.http.clone());
        tokio::spawn(async move { server::run_until_dropped(listener, routes, &http).await });
    }
    tokio::spawn(reload::run(hangups, state.clone(), tls.clone()));
    let routes = router(state.clone(), &args.http, sandboxed);
    let ended = server::run(listener, tls, routes, state, &args.http, signals.into_stop()).await;
    if let Some(exporter) = exporter {
        exporter.flush().await;
    }
    ended?;
    info!("stopped");
    Ok(())
}

async fn serve_sandbox(args: &SandboxArgs) -> Result<(), Failure> {
    telemetry::init(&args.log)?;
    let signals = Signals::new()?;
    let listener = bind(args.listen)?;
    print(&sandbox::print_table())?;
    info!(address = %listener.local_addr()?, "sandbox listening");
    let stop = async { _ = signals.into_stop().await };
    sandbox::serve(tokio_listener(listener)?, stop).await?;
    Ok(())
}

/// Prints a new key for its caller and its digest for the service, and keeps neither.
fn print_key(args: &ApiKeyArgs) -> Result<(), Failure> {
    let new = NewKey::generate(args.name.as_deref())?;
    print("# An API key, for its caller alone. It is shown this once and kept nowhere:")?;
    print(new.key.expose_secret())?;
    print(
        "# Its digest, a line of the file that STS_VERIFY_API_KEYS_FILE names, or of STS_VERIFY_API_KEYS:",
    )?;
    Ok(print(&new.line)?)
}

/// Unlike `println!`, no panic when nobody reads any more.
fn print(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}").into())
}

fn tokio_listener(listener: TcpListener) -> std::io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// The two signals that end the process, caught from the moment this exists.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.interrupt.recv() => Stop::Interrupt,
        }
    }

    /// Resolves at the first signal; the second ends the process at once.
    async fn into_stop(mut self) -> Stop {
        let (first, stop) = oneshot::channel();
        tokio::spawn(async move {
            // The receiver is only gone when the server has ended, and with it the process.
            let _ = first.send(self.next().await);
            self.next().await;
            std::process::exit(EXIT_INTERRUPTED);
        });
        stop.await.unwrap_or(Stop::Interrupt)
    }
}
