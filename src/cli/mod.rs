//! The command line: one file a subcommand.

mod api_key;
mod check;
mod healthcheck;
mod manual;
mod sandbox;
mod serve;
mod signals;
mod verify;

use crate::config::{Cli, Command, EXIT_USAGE, parse_command_line};
use crate::http::router::document;
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
    let code = match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err((error, code)) => report(error.as_ref(), code),
    };
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
    code
}

/// One line on stderr: the log may not be open yet, and may not be read.
fn report(error: &(dyn Error + 'static), code: ExitCode) -> ExitCode {
    eprintln!("sts-verify: {error}");
    code
}

async fn run(cli: Cli) -> Result<ExitCode, (Failure, ExitCode)> {
    let failure = |error: Failure| (error, ExitCode::FAILURE);
    let usage = |error: Failure| (error, ExitCode::from(EXIT_USAGE));
    let done = match cli.command.unwrap_or_else(|| Command::Serve(Box::new(cli.serve))) {
        Command::Verify(args) => return verify::run(*args).await,
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
            let sts = check::sts(settings).await.map_err(|error| usage(error.into()))?;
            check::run(sts, print).await.map_err(failure)
        }
        Command::Openapi => {
            let text = document().to_pretty_json().map_err(|error| failure(error.into()))?;
            print(&text).map_err(|error| failure(error.into()))
        }
        Command::Completions(args) => manual::print_completions(&args).map_err(failure),
        Command::Man(args) => match manual::page(&args) {
            Ok(page) => manual::print_bytes(&page).map_err(|error| failure(error.into())),
            Err(error) => Err(usage(error)),
        },
    };
    done.map(|()| ExitCode::SUCCESS)
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
