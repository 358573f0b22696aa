//! Compares the documentation with the program, and checks its links.

use crate::helpers::App;
use clap::{Arg, Command, CommandFactory as _};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use sts_verify::config::Cli;

const README: &str = include_str!("../../README.md");

/// The maximum length of the README.
const MOST_LINES: usize = 200;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_readme_is_short() {
    assert!(README.lines().count() < MOST_LINES);
}

#[test]
fn every_route_is_in_the_documentation() {
    let document = serde_json::to_value(sts_verify::http::router::document()).unwrap();
    let text = page("docs/api.md");
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(text.contains(path), "{path}");
    }
}

#[test]
fn the_sandboxs_callers_are_in_its_page_as_they_are_printed() {
    assert!(page("docs/sandbox.md").contains(sts_sandbox::render_table(&sts_sandbox::table()).trim()));
}

#[tokio::test]
async fn every_metric_is_in_its_page() {
    let app = App::with_sandbox(&[]).await;
    let figures = app.get("/metrics").await.text().await.unwrap();
    let text = page("docs/observability.md");
    let names = figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let missing: Vec<_> =
        names.filter(|name| !name.starts_with("process_") && !text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

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

/// All Markdown pages of this repository.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_ours = !name.starts_with('.') && !matches!(name, "target" | "node_modules");
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The targets of a page's links, and the anchors of its headings as GitHub makes them.
fn links_and_anchors(text: &str) -> (Vec<String>, HashSet<String>) {
    let (mut links, mut anchors, mut heading) = (Vec::new(), HashSet::new(), None::<String>);
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                anchors.extend(heading.take().map(|heading| anchor(&heading)));
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            _ => {}
        }
    }
    (links, anchors)
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_to_a_file_or_a_heading() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let (links, own) = links_and_anchors(&text);
        for link in links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            count += 1;
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let found = target.exists()
                && (wanted.is_empty() || {
                    let anchors = if file.is_empty() {
                        own.clone()
                    } else {
                        links_and_anchors(&fs::read_to_string(&target).unwrap_or_default()).1
                    };
                    anchors.contains(wanted)
                });
            if !found {
                wrong.push(format!("{}: {link}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 100, "{count}");
}

/// The sources of src/ and tests/, by their paths from the root.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join("src"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                sources.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}

/// The code of a page that stands in its text.
fn code_spans(text: &str) -> Vec<String> {
    let code = |event| if let Event::Code(code) = event { Some(code.into_string()) } else { None };
    Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(code).collect()
}

/// Whether there is what a page calls a test: a file, or a function in it. A name may end in `…`.
fn is_there(named: &str, sources: &[(String, String)]) -> bool {
    let (file, function) = named.split_once("::").unwrap_or((named, ""));
    if function.is_empty() && root().join(file).exists() {
        return true;
    }
    let wanted = match function.strip_suffix('…') {
        Some(start) => format!("fn {start}"),
        None => format!("fn {function}("),
    };
    let is_it = |path: &str| path == file || path.ends_with(&format!("/{file}"));
    sources.iter().any(|(path, text)| is_it(path) && (function.is_empty() || text.contains(&wanted)))
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let sources = sources();
    let (mut missing, mut count) = (Vec::new(), 0);
    for name in ["docs/proofs.md", "docs/gates.md", "SECURITY.md"] {
        for code in code_spans(&page(name)) {
            // What follows is an argument.
            let named = code.split(' ').next().unwrap_or_default();
            let file = named.split("::").next().unwrap_or_default();
            let is_rust = Path::new(file).extension().is_some_and(|extension| extension == "rs");
            if is_rust || file.starts_with("tests/") || file.starts_with("src/") {
                count += 1;
                if !is_there(named, &sources) {
                    missing.push(format!("{name}: {code}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(count > 100, "{count}");
    assert!(!is_there("refusals.rs::no_such_test", &sources) && !is_there("tests/no_such.rs", &sources));
}

/// The holes that others had, each with a test whose name has its number, and a row of a table.
#[test]
fn every_advisory_has_a_test_and_a_row() {
    let sources = sources();
    let pages = ["docs/proofs.md", "docs/gates.md"].map(page).concat();
    for advisory in [
        "CVE-2020-16250",
        "CVE-2022-2385",
        "CVE-2025-49827",
        "CVE-2025-49831",
        "CVE-2025-11621",
        "GHSA-7r4p-vjf4-gxv4",
        "CVE-2026-35051",
        "CVE-2026-39858",
    ] {
        let has = |line: &&str| line.contains(advisory);
        let row = pages.lines().filter(|line| line.starts_with('|')).find(has);
        let row = row.unwrap_or_else(|| panic!("{advisory} has no row"));
        let (kind, number) = advisory.split_at(advisory.rfind('-').unwrap() + 1);
        let kind = format!("fn {}", kind[..4].to_lowercase().replace('-', "_"));
        let tests = sources.iter().flat_map(|(_, text)| text.lines());
        let test = tests.filter_map(|line| line.split_once(&kind)).find(|(_, name)| name.contains(number));
        assert!(test.is_some() && row.contains(".rs::"), "{advisory} has no test");
    }
}
