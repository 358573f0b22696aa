//! What the README says of settings, routes and the sandbox, against the program.

use clap::CommandFactory as _;
use std::collections::BTreeMap;

const README: &str = include_str!("../../README.md");

/// Each variable with its default, of every command.
fn variables(command: &clap::Command) -> BTreeMap<String, String> {
    let own = command.get_arguments().filter_map(|argument| {
        let default = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        Some((argument.get_env()?.to_string_lossy().into_owned(), default))
    });
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

#[test]
fn every_setting_is_in_the_readme_with_its_default() {
    let variables = variables(&sts_verify::config::Cli::command());
    assert!(variables.len() > 20);
    for (name, default) in variables {
        let row = README.lines().find(|line| line.starts_with("| ") && line.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the README"));
        assert!(row.contains(&default), "{name} defaults to {default}, and the README says: {row}");
    }
}

#[test]
fn every_route_is_in_the_readme() {
    let document = serde_json::to_value(sts_verify::http::router::document()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(README.contains(path), "{path}");
    }
}

#[test]
fn the_sandboxs_callers_are_in_the_readme_as_they_are_printed() {
    assert!(README.contains(sts_sandbox::render_table(&sts_sandbox::table()).trim()));
}

#[test]
fn every_link_of_the_readme_leads_to_a_file() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let targets = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<_> =
        targets.filter(|target| !target.starts_with('#') && !target.contains("://")).collect();
    assert!(files.len() > 10);
    for file in files {
        let path = file.split('#').next().unwrap_or_default();
        assert!(root.join(path).exists(), "{file}");
    }
}
