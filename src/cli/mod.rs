//! The command line: one file per subcommand.

mod api_key;
mod check;
mod healthcheck;
mod manual;
mod sandbox;
mod serve;
mod signals;
mod verify;

use crate::config::{Cli, Command, EXIT_USAGE, NothingToRun, Regions, parse_command_line};
use crate::http::router::document;
use crate::observability::{LogWriter, logs};
use check::Check;
use prometheus_client::metrics::counter::Counter;
use signals::Signals;
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

/// How long the process waits at the end for the runtime's last tasks, which log the requests that are cut off.
/// Threads that block, for example in a look-up by a name server that never answers, are not waited for.
const RUNTIME_TIMEOUT: Duration = Duration::from_millis(500);

/// How long writing the last line on stderr may take.
const STDERR_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a subcommand failed: the last line on stderr.
type Failure = Box<dyn Error + Send + Sync>;

/// Runs the subcommand that the arguments name and returns the exit code of the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // First of all: a signal that arrives before this ends the process.
    let is_list = arguments.get(1).is_some_and(|command| command == "verify");
    let catch = if is_list { Signals::catch_unless_ignored } else { Signals::catch };
    let signals = match runs_until_stopped(&arguments).then(catch).transpose() {
        Ok(signals) => signals,
        Err(error) => return report(&error, ExitCode::FAILURE),
    };
    let cli = match parse_command_line(arguments) {
        Ok(cli) => cli,
        Err(NothingToRun::HelpShown) => return ExitCode::SUCCESS,
        Err(NothingToRun::Wrong(line)) => return report(&line, ExitCode::from(EXIT_USAGE)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error, ExitCode::FAILURE),
    };
    let outcome = runtime.block_on(run(cli, signals));
    runtime.shutdown_timeout(RUNTIME_TIMEOUT);
    logs::flush();
    match outcome {
        Ok(code) => code,
        Err((error, code)) => report(error.as_ref(), code),
    }
}

/// Whether this is `serve`, which may be omitted, `sandbox` or `verify`. In all other commands, and if only the
/// help is printed, signals have their default effect.
fn runs_until_stopped(arguments: &[OsString]) -> bool {
    const PRINTED: [&str; 4] = ["--help", "-h", "--version", "-V"];
    const STOPPED: [&str; 3] = ["serve", "sandbox", "verify"];
    // Arguments after `--` are not options.
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let words: Vec<_> = words.take_while(|word| word != "--").collect();
    let named = words.first().is_none_or(|first| STOPPED.contains(&&**first) || first.starts_with('-'));
    named && !words.iter().any(|word| PRINTED.contains(&&**word))
}

/// Writes one line on stderr: the log may not be open yet, and may not be read. If stderr is not read either,
/// the process ends without it.
fn report(error: &(impl Display + ?Sized), code: ExitCode) -> ExitCode {
    let line = format!("sts-verify: {error}\n");
    match LogWriter::start(io::stderr(), Counter::default()) {
        Ok(stderr) => {
            stderr.push(line.as_bytes());
            stderr.flush(STDERR_TIMEOUT);
        }
        // No further thread can be started.
        Err(_) => _ = io::stderr().write_all(line.as_bytes()),
    }
    code
}

async fn run(cli: Cli, signals: Option<Signals>) -> Result<ExitCode, (Failure, ExitCode)> {
    let failure = |error: Failure| (error, ExitCode::FAILURE);
    let usage = |error: Failure| (error, ExitCode::from(EXIT_USAGE));
    let signals = || signals.ok_or_else(|| failure("signals were not caught at the start".into()));
    let done = match cli.command.unwrap_or_else(|| Command::Serve(Box::new(cli.serve))) {
        Command::Verify(args) => return verify::run(*args, signals()?).await,
        Command::Serve(args) => {
            let signals = signals()?;
            match serve::prepare(&args, &signals).await.map_err(usage)? {
                Some(checked) => serve::run(&args, checked, signals).await.map_err(failure),
                None => Ok(()),
            }
        }
        Command::Sandbox(args) => {
            let signals = signals()?;
            sandbox::run(&args, signals).await.map_err(failure)
        }
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
        Command::Completions(args) => manual::print_completions(&args).map_err(failure),
        Command::Man(args) => match manual::page(&args) {
            Ok(page) => manual::print_bytes(&page).map_err(|error| failure(error.into())),
            Err(error) => Err(usage(error)),
        },
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Unlike `println!`, does not panic when the reader has closed the pipe.
fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}").into())
}

fn tokio_listener(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}
