//! The command line of `sts-verify`.

use std::error::Error;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use sts_verify::app::{document, metrics_routes, router};
use sts_verify::config::{Cli, Command, EXIT_USAGE, SandboxArgs, ServeArgs, parse_command_line};
use sts_verify::otlp::Exporter;
use sts_verify::server::{self, Stop};
use sts_verify::state::AppState;
use sts_verify::sts::{Sts, StsSettings, Transport};
use sts_verify::{healthcheck, sandbox, telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

/// musl's allocator is several times slower under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    match cli.command.unwrap_or_else(|| Command::Serve(Box::new(cli.serve))) {
        Command::Serve(args) => {
            let usage = |error: Failure| (error, ExitCode::from(EXIT_USAGE));
            let (sts, settings) = check(&args).await.map_err(usage)?;
            let exporter = Exporter::from_environment("http").map_err(|error| usage(error.into()))?;
            serve(&args, sts, settings, exporter).await.map_err(failure)
        }
        Command::Sandbox(args) => serve_sandbox(&args).await.map_err(failure),
        Command::Healthcheck(args) => healthcheck::run(args.listen).await.map_err(failure),
        Command::Openapi => {
            let text = document().to_pretty_json().map_err(|error| failure(error.into()))?;
            print(&text).map_err(|error| failure(error.into()))
        }
    }
}

/// Everything that can be wrong with the settings comes out here, before a port opens. The sandbox's endpoint is not
/// known before its listener is, which is on a free port of loopback and is part of its clients' settings.
async fn check(args: &ServeArgs) -> Result<(Sts, Option<TcpListener>), Failure> {
    let mut settings: StsSettings = args.sts_settings()?;
    let stand_in = args.sandbox.then(|| TcpListener::bind("127.0.0.1:0")).transpose()?;
    if let Some(listener) = &stand_in {
        settings.endpoint_url = Some(format!("http://{}", listener.local_addr()?));
    }
    let transport = Transport::new(&settings)?;
    Ok((Sts::new(&settings, &transport).await?, stand_in))
}

async fn serve(
    args: &ServeArgs,
    sts: Sts,
    stand_in: Option<TcpListener>,
    exporter: Option<Exporter>,
) -> Result<(), Failure> {
    telemetry::init(&args.log);
    let exporter = exporter.map(telemetry::export);
    let signals = Signals::new()?;
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
    let state = AppState::new(sts, args.http.max_in_flight);
    if let Some(address) = args.http.metrics_listen {
        let listener = bind(address)?;
        info!(address = %listener.local_addr()?, "metrics listening");
        let (routes, http) = (metrics_routes(&state), args.http.clone());
        tokio::spawn(async move { server::run_until_dropped(listener, routes, &http).await });
    }
    let routes = router(state.clone(), &args.http, sandboxed);
    let ended = server::run(listener, routes, state, &args.http, signals.into_stop()).await;
    if let Some(exporter) = exporter {
        exporter.flush().await;
    }
    ended?;
    info!("stopped");
    Ok(())
}

async fn serve_sandbox(args: &SandboxArgs) -> Result<(), Failure> {
    telemetry::init(&args.log);
    let signals = Signals::new()?;
    let listener = bind(args.listen)?;
    print(&sandbox::print_table())?;
    info!(address = %listener.local_addr()?, "sandbox listening");
    let stop = async { _ = signals.into_stop().await };
    sandbox::serve(tokio_listener(listener)?, stop).await?;
    Ok(())
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
