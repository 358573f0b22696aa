//! Parses the command line and the environment into [`Cli`], and turns clap's errors into one line.

use super::Cli;
use super::sts::EndpointFlags;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};
use std::error::Error;
use std::ffi::{OsStr, OsString};

/// Why no command is run.
#[derive(Debug)]
pub enum NothingToRun {
    /// The help or the version was requested, and is on stdout.
    HelpShown,
    /// A setting is wrong. The line names it and does not repeat its value.
    Wrong(String),
}

/// Reads the settings.
///
/// # Errors
///
/// The help was requested, or a setting is wrong.
pub fn parse_command_line(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, NothingToRun> {
    let mut command = without_empty_variables(Cli::command());
    if let Some(variable) = variable_that_is_no_text(&command) {
        return Err(NothingToRun::Wrong(format!("{variable}: must be text in UTF-8")));
    }
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let named = arguments.get(1).and_then(|name| command.find_subcommand(name)).cloned();
    let parsed = command.try_get_matches_from_mut(arguments).and_then(|matches| {
        let mut cli = Cli::from_arg_matches(&matches)?;
        note_flags(&mut cli, &matches);
        Ok(cli)
    });
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nothing can be done if stdout is closed.
            let _ = error.print();
            NothingToRun::HelpShown
        }
        _ => NothingToRun::Wrong(one_line(&command, named.as_ref(), &error)),
    })
}

/// Variables with a second name: the name in the SDKs, then that in boto3.
const SECOND_NAMES: [(&str, &str); 2] =
    [("AWS_REGION", "AWS_DEFAULT_REGION"), ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")];

/// Treats empty variables as not set: compose files and task definitions pass them on like that. Their second
/// name counts then, if they have one. The help is the same everywhere: it does not show the current values of
/// variables.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let is_set = |name: &OsStr| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let reset = |argument: Arg| {
        let argument = argument.hide_env_values(true);
        let Some(name) = argument.get_env().filter(|name| !is_set(name)) else { return argument };
        let second = SECOND_NAMES.iter().find(|(first, _)| *first == name).map(|(_, second)| *second);
        match second.filter(|second| is_set(second.as_ref())) {
            Some(second) => argument.env(second),
            None if is_empty(name) => argument.env(Resettable::<clap::builder::OsStr>::Reset),
            None => argument,
        }
    };
    command.mut_args(reset).mut_subcommands(without_empty_variables)
}

/// Records which endpoint URLs were set by flags, which the parsed values do not show.
fn note_flags(cli: &mut Cli, matches: &ArgMatches) {
    let (args, matches) = match (&mut cli.command, matches.subcommand()) {
        (Some(super::Command::Serve(args)), Some((_, matches))) => (&mut args.sts, matches),
        (Some(super::Command::Check(args)), Some((_, matches))) => (&mut args.sts, matches),
        (Some(super::Command::Verify(args)), Some((_, matches))) => (&mut args.sts, matches),
        (None, _) => (&mut cli.serve.sts, matches),
        _ => return,
    };
    let is_flag = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
    args.endpoint_flags =
        EndpointFlags { sts: is_flag("endpoint_url_sts"), all_services: is_flag("endpoint_url") };
}

/// The error in one line: the variable, the flag, and the expected form. The value is not repeated.
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
        None if named.unwrap_or(command).get_arguments().any(|argument| is_flag(argument, &flag)) => {
            format!("{flag}: {reason}; see sts-verify --help")
        }
        // An unknown argument may be anything, even a secret.
        None => format!("{reason}; see sts-verify --help"),
    }
}

/// The first variable of the program whose value is not UTF-8.
fn variable_that_is_no_text(command: &Command) -> Option<String> {
    let own = command
        .get_arguments()
        .filter_map(Arg::get_env)
        .find(|name| std::env::var_os(name).is_some_and(|value| value.to_str().is_none()));
    own.map(|name| name.to_string_lossy().into_owned())
        .or_else(|| command.get_subcommands().find_map(variable_that_is_no_text))
}

fn is_flag(argument: &Arg, flag: &str) -> bool {
    argument.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long))
}

fn variable_of(command: &Command, flag: &str) -> Option<String> {
    let own = command.get_arguments().find(|argument| is_flag(argument, flag));
    match own.and_then(Arg::get_env) {
        Some(variable) => Some(variable.to_string_lossy().into_owned()),
        None => command.get_subcommands().find_map(|command| variable_of(command, flag)),
    }
}
