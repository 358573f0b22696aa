//! `sts-verify verify`: a list of credentials from files or standard input, and a row for each on standard
//! output.

mod input;
mod output;

use super::Failure;
use super::signals::Signals;
use crate::batch::attempt::StsPartitions;
use crate::batch::proofs::verifier;
use crate::batch::report::{Report, ReportFormat, Sources, TableStyle, summary};
use crate::batch::resume::Resume;
use crate::batch::runner::{self, BatchError, BatchSettings, Totals};
use crate::config::{EXIT_USAGE, FailOn, VerifyArgs};
use crate::identity::Canaries;
use crate::server::{Stop, hardening};
use input::Inputs;
use output::{Console, Terminal, say};
use std::fs::File;
use std::io::{BufReader, ErrorKind, IsTerminal as _, Write as _, stdout};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The exit code if entries could not be read: `EX_DATAERR` of sysexits.h.
const EXIT_UNREADABLE: u8 = 65;
/// The exit code if the output could not be written: `EX_IOERR`.
const EXIT_OUTPUT: u8 = 74;
/// The exit code if entries are indeterminate.
const EXIT_INDETERMINATE: u8 = 2;
/// The exit code after a signal: 128 and its number, as in shells.
const EXIT_HANGUP: u8 = 129;
const EXIT_INTERRUPTED: u8 = 130;
const EXIT_TERMINATED: u8 = 143;

/// The width of a table that is not on a terminal.
const WIDTH: usize = 80;

/// Processes the list and returns the exit code.
pub(super) async fn run(args: VerifyArgs, signals: Signals) -> Result<ExitCode, (Failure, ExitCode)> {
    let usage = |error: Failure| (error, ExitCode::from(EXIT_USAGE));
    let failure = |error: Failure| (error, ExitCode::FAILURE);
    // Without this a crash may leave secrets in a file. A failure is ignored.
    let _ = hardening::forbid_core_dumps();
    let sts = sts_partitions(&args).await.map_err(usage)?;
    let settings = settings(&args).await.map_err(usage)?;
    let resume = args.resume.as_deref().map(resume).transpose().map_err(usage)?;
    let inputs = Inputs::new(&args.files, args.format);
    let began = Instant::now();
    let worked = work(&args, inputs, sts, settings, resume, signals, began).await;
    match worked {
        Ok(code) => Ok(code),
        // A reader that closes the pipe wants no more output, and no error.
        Err(BatchError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(EXIT_OUTPUT.into()),
        Err(error @ BatchError::Output(_)) => {
            Err((format!("standard output: {error}").into(), EXIT_OUTPUT.into()))
        }
        Err(error) => Err(failure(error.into())),
    }
}

async fn work(
    args: &VerifyArgs,
    inputs: Inputs,
    sts: Option<Arc<StsPartitions>>,
    settings: BatchSettings,
    resume: Option<Resume>,
    signals: Signals,
    began: Instant,
) -> Result<ExitCode, BatchError> {
    let sources = Sources(inputs.names());
    let format = args.output.unwrap_or(if stdout().is_terminal() {
        ReportFormat::Table
    } else {
        ReportFormat::Ndjson
    });
    let terminal = Terminal::new();
    let mut writer = terminal.writer();
    if resume.as_ref().is_some_and(|resume| resume.is_cut) && is_stdout(args.resume.as_deref()) {
        writer.write_all(b"\n")?;
    }
    let report = Report::begin(writer, format, style(), sources)?;
    let items = inputs.read(&terminal);
    let mut console = Console::new(report, resume, terminal);
    let stopped = OnceLock::new();
    let stop = async {
        let _ = stopped.set(stop_of(signals).await);
    };
    let totals = runner::run(items, sts, settings, &mut console, stop).await?;
    let line = summary(&totals, began.elapsed());
    console.finish(stopped.get().is_none(), &line)?;
    if format != ReportFormat::Table {
        say(&line);
    }
    Ok(stopped.get().map_or_else(|| exit_code(&totals, args.fail_on), |code| ExitCode::from(*code)))
}

/// The exit code for the signal that ends a list. Closing the terminal sends one, too.
async fn stop_of(signals: Signals) -> u8 {
    let hangup = signals.hangup.clone();
    tokio::select! {
        stop = signals.stop() => match stop {
            Stop::Interrupt => EXIT_INTERRUPTED,
            Stop::Terminate => EXIT_TERMINATED,
        },
        () = hangup.notified() => EXIT_HANGUP,
    }
}

/// `None` with --offline, which needs no settings of STS.
async fn sts_partitions(args: &VerifyArgs) -> Result<Option<Arc<StsPartitions>>, Failure> {
    if args.offline {
        return Ok(None);
    }
    let mut settings = args.sts.settings(false)?;
    settings.max_connections = settings.max_connections.max(args.concurrency);
    let sts = StsPartitions::new(settings, args.sts.allowed_regions.is_none(), &args.partitions).await?;
    Ok(Some(Arc::new(sts)))
}

async fn settings(args: &VerifyArgs) -> Result<BatchSettings, Failure> {
    let proofs = match args.proofs() {
        Some(proofs) => {
            let all = args.sts.allowed_regions.is_none();
            Some(Arc::new(verifier(proofs, args.sts.settings(false)?, all).await?))
        }
        None => None,
    };
    let mut canaries = Canaries::default();
    if let Some(path) = &args.canaries {
        let text = std::fs::read_to_string(path).map_err(|error| format!("--canaries: {}", error.kind()))?;
        canaries.add_lines(&text).map_err(|line| format!("--canaries: line {line} is not an account"))?;
    }
    Ok(BatchSettings {
        concurrency: args.concurrency,
        rate: args.rate,
        give_up: args.give_up,
        ask_canaries: args.ask_canaries,
        canaries,
        proofs,
    })
}

fn resume(path: &Path) -> Result<Resume, Failure> {
    let read = File::open(path).and_then(|file| Resume::read(BufReader::new(file)));
    let resume = read.map_err(|error| format!("--resume: {}", error.kind()))?;
    if resume.unreadable > 0 {
        say(&format!(
            "sts-verify: --resume: {} lines are not rows; their entries are verified again",
            resume.unreadable
        ));
    }
    Ok(resume)
}

/// Whether standard output is this file (`--resume done.ndjson >> done.ndjson`).
fn is_stdout(path: Option<&Path>) -> bool {
    let output = stdout().as_fd().try_clone_to_owned().and_then(|output| File::from(output).metadata());
    let (Ok(output), Some(Ok(file))) = (output, path.map(std::fs::metadata)) else { return false };
    (output.dev(), output.ino()) == (file.dev(), file.ino())
}

/// The style of a table on this terminal.
fn style() -> TableStyle {
    let variable = |name| std::env::var_os(name).filter(|value: &std::ffi::OsString| !value.is_empty());
    let plain = variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|term| term == "dumb");
    let on_terminal = stdout().is_terminal();
    let width = terminal_size::terminal_size_of(stdout()).filter(|_| on_terminal);
    TableStyle {
        width: width.map_or(WIDTH, |(width, _)| usize::from(width.0)),
        colors: on_terminal && !plain,
    }
}

fn exit_code(totals: &Totals, fail_on: Option<FailOn>) -> ExitCode {
    use crate::batch::answer::Verdict;
    if fail_on == Some(FailOn::Valid) && totals.of(Verdict::Valid) + totals.valid_before > 0 {
        ExitCode::FAILURE
    } else if totals.unreadable > 0 {
        EXIT_UNREADABLE.into()
    } else if totals.of(Verdict::Indeterminate) > 0 {
        EXIT_INDETERMINATE.into()
    } else {
        ExitCode::SUCCESS
    }
}
