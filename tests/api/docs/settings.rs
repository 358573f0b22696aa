//! Compares docs/settings.md with the definition of the command line.

use super::{page, root};
use clap::{Arg, Command, CommandFactory as _};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use sts_verify::config::Cli;

/// The tables of docs/settings.md: the text between these lines is generated from the definition of the
/// command line.
const BEGIN: &str = "<!-- begin: made by `just settings` from the command line's definition -->\n";
const END: &str = "<!-- end -->\n";

/// With UPDATE_DOCS=1 the page is regenerated.
#[test]
fn the_page_of_settings_is_the_one_that_the_command_line_makes() {
    let old = page("docs/settings.md");
    let (before, rest) = old.split_once(BEGIN).expect("it has a beginning");
    let (_, after) = rest.split_once(END).expect("it has an end");
    let new = format!("{before}{BEGIN}{}{END}{after}", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join("docs/settings.md"), &new).unwrap();
        return;
    }
    assert!(old == new, "docs/settings.md is stale: run `just settings`");
}

fn tables() -> String {
    let command = Cli::command();
    let mut text = String::from(
        "\n## serve\n\nThe settings of the service, which is what runs when no command is named.\n",
    );
    let serve = command.find_subcommand("serve").expect("it is a command");
    let shared: HashSet<_> = serve.get_arguments().map(|argument| argument.get_id().clone()).collect();
    add_tables(&mut text, serve, |_| true);
    for other in command.get_subcommands().filter(|other| other.get_name() != "serve") {
        let own = |argument: &Arg| !shared.contains(argument.get_id());
        let about = other.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "\n## {}\n\n{about}.\n", other.get_name());
        add_tables(&mut text, other, own);
        if other
            .get_arguments()
            .any(|argument| shared.contains(argument.get_id()) && argument.get_env().is_some())
        {
            text.push_str(
                "\nThe settings of `serve` about the same things count here, too: `--help` lists them.\n",
            );
        }
    }
    text
}

fn add_tables(text: &mut String, command: &Command, wanted: impl Fn(&Arg) -> bool) {
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| wanted(argument) && !matches!(argument.get_id().as_str(), "help" | "version"))
        .collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for argument in &arguments {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            let _ = write!(text, "\n### {heading}\n");
        }
        text.push_str("\n| variable | flag | default | meaning |\n|---|---|---|---|\n");
        for argument in arguments.iter().filter(|argument| argument.get_help_heading() == heading) {
            add_row(text, argument);
        }
    }
}

fn add_row(text: &mut String, argument: &Arg) {
    let variable =
        argument.get_env().map_or("–".to_owned(), |name| format!("`{}`", name.to_string_lossy()));
    let name = argument
        .get_long()
        .map_or_else(|| argument.get_id().as_str().to_uppercase(), |long| format!("--{long}"));
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let values: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    // A default that is not a value is described at the end of the help text.
    let (meaning, default) = match help.strip_suffix(']').and_then(|help| help.rsplit_once(" [default: ")) {
        Some((meaning, default)) => (meaning.to_owned(), default.to_owned()),
        None if values.is_empty() => (help, "–".to_owned()),
        None => (help, format!("`{}`", values.join(","))),
    };
    let _ = writeln!(text, "| {variable} | `{name}` | {default} | {meaning} |");
}
