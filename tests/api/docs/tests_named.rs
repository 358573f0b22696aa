//! Looks for the tests that the pages name.

use super::{page, root};
use pulldown_cmark::{Event, Options, Parser};
use std::fs;
use std::path::Path;

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

/// The code spans in the text of a page.
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
            // The rest is an argument.
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

/// Each vulnerability of a similar project has a test whose name has its number, and a row of a table.
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
