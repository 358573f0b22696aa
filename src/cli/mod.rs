//! The command line: one file a subcommand.

mod api_key;
mod check;
mod healthcheck;
mod sandbox;
mod serve;
mod signals;

use crate::config::{Cli, Command, EXIT_USAGE, Regions, parse_command_line};
use crate::http::router::document;
use check::Check;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

/// Why a subcommand ended: the last line on stderr.
type Failure = Box<dyn Error + Send + Sync>;

/// Runs the subcommand that the arguments name and returns the exit code of the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parse_command_line(arguments) {
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
            let checked = serve::prepare(&args).await.map_err(usage)?;
            serve::run(&args, checked).await.map_err(failure)
        }
        Command::Sandbox(args) => sandbox::run(&args).await.map_err(failure),
        Command::Healthcheck(args) => {
            healthcheck::run(args.listen, args.tls_cert_file.is_some()).await.map_err(failure)
        }
        Command::ApiKey(args) => api_key::run(&args).map_err(failure),
        Command::Check(args) => {
            let settings = args.sts.settings(false).map_err(|error| usage(error.into()))?;
            let all_regions = args.sts.allowed_regions == Some(Regions::All);
            let check = Check::new(settings, all_regions).await.map_err(|error| usage(error.into()))?;
            check.run(print).await.map_err(failure)
        }
        Command::Openapi => {
            let text = document().to_pretty_json().map_err(|error| failure(error.into()))?;
            print(&text).map_err(|error| failure(error.into()))
        }
    }
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
