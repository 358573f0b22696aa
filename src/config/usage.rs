//! From the command line and the environment to [`Cli`], and from clap's errors to one line.

use super::Cli;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use std::error::Error;
use std::ffi::OsString;

/// Why there is nothing to run.
#[derive(Debug)]
pub enum NothingToRun {
    /// The help or the version was asked for, and is on stdout.
    HelpShown,
    /// A setting is wrong. The line says which; it does not repeat its value.
    Wrong(String),
}

/// Reads the settings.
///
/// # Errors
///
/// When the help was asked for, and when a setting is wrong.
pub fn parse_command_line(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, NothingToRun> {
    let mut command = without_empty_variables(Cli::command());
    if let Some(variable) = variable_that_is_no_text(&command) {
        return Err(NothingToRun::Wrong(format!("{variable}: must be text in UTF-8")));
    }
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let named = arguments.get(1).and_then(|name| command.find_subcommand(name)).cloned();
    let parsed =
        command.try_get_matches_from_mut(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nothing can be done if stdout is closed.
            let _ = error.print();
            NothingToRun::HelpShown
        }
        _ => NothingToRun::Wrong(one_line(&command, named.as_ref(), &error)),
    })
}

/// An empty variable is one that is not set: compose files and task definitions pass them on like that. And the help
/// is the same everywhere: it does not show what the variables hold here.
fn without_empty_variables(command: Command) -> Command {
    let reset = |argument: Arg| {
        let argument = argument.hide_env_values(true);
        let empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        if empty { argument.env(Resettable::<clap::builder::OsStr>::Reset) } else { argument }
    };
    command.mut_args(reset).mut_subcommands(without_empty_variables)
}

/// What is wrong, in one line: the variable, the flag, and what is wanted. The value is not repeated.
fn one_line(command: &Command, named: Option<&Command>, error: &clap::Error) -> String {
    let culprit = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => name.clone(),
        Some(ContextValue::Strings(several)) => several.join(", "),
        _ => String::new(),
    };
    let flag = culprit.split([' ', '=', '[', '<']).next().unwrap_or_default().to_owned();
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(values))) if !values.is_empty() => {
            format!("must be one of {}", values.join(", "))
        }
        _ => error.kind().to_string(),
    };
    match named.and_then(|named| variable_of(named, &flag)).or_else(|| variable_of(command, &flag)) {
        Some(variable) => format!("{variable} ({flag}): {reason}"),
        // An argument that is none of ours may be anything, a secret too.
        None => format!("{reason}; see sts-verify --help"),
    }
}

/// The first variable of ours whose value is not UTF-8.
fn variable_that_is_no_text(command: &Command) -> Option<String> {
    let own = command
        .get_arguments()
        .filter_map(Arg::get_env)
        .find(|name| std::env::var_os(name).is_some_and(|value| value.to_str().is_none()));
    own.map(|name| name.to_string_lossy().into_owned())
        .or_else(|| command.get_subcommands().find_map(variable_that_is_no_text))
}

fn variable_of(command: &Command, flag: &str) -> Option<String> {
    let long = flag.strip_prefix("--")?;
    let own = command.get_arguments().find(|argument| argument.get_long() == Some(long));
    match own.and_then(Arg::get_env) {
        Some(variable) => Some(variable.to_string_lossy().into_owned()),
        None => command.get_subcommands().find_map(|command| variable_of(command, flag)),
    }
}
