//! Counts the lines of all Rust files of the repository, tests included.

use crate::root;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The maximum number of lines of a file.
const MOST_LINES: usize = 300;

/// All Rust files, by their paths from the root.
fn files() -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // Build outputs and installed packages belong to others.
            let is_ours = !name.starts_with('.') && !matches!(name, "target" | "node_modules");
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    files
}

#[test]
fn no_file_is_long() {
    let files = files();
    let length = |file: &PathBuf| fs::read_to_string(root().join(file)).unwrap().lines().count();
    let long: Vec<&PathBuf> = files.iter().filter(|file| length(file) > MOST_LINES).collect();
    assert!(long.is_empty(), "more than {MOST_LINES} lines: {long:?}");
    let read: BTreeSet<&str> =
        files.iter().filter_map(|file| file.components().next()?.as_os_str().to_str()).collect();
    assert_eq!(read, BTreeSet::from(["benches", "build.rs", "fuzz", "sandbox", "src", "tests"]));
}
