//! Compares the documentation with the program, and checks its links and the tests that it names.

mod links;
mod settings;
mod tests_named;

use crate::helpers::App;
use std::fs;
use std::path::Path;

const README: &str = include_str!("../../../README.md");

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
