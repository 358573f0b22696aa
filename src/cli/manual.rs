//! `sts-verify completions` and `sts-verify man`: generated from the settings, so that they always agree with
//! them.

use super::Failure;
use crate::config::{Cli, CompletionsArgs, ManArgs};
use clap::CommandFactory as _;
use std::io::{self, Write as _};

/// Prints the completions for a shell.
pub(super) fn print_completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Ok(print_bytes(&script)?)
}

/// The man page of the program or of one of its commands, in roff.
pub(super) fn page(args: &ManArgs) -> Result<Vec<u8>, Failure> {
    let mut command = Cli::command();
    command.build();
    if let Some(name) = &args.command {
        let found = command.find_subcommand(name);
        command = found.ok_or("there is no such command; see sts-verify --help")?.clone();
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

/// Unlike `print!`, does not panic when the reader has closed the pipe.
pub(super) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
