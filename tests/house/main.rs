//! Compares the sources with ARCHITECTURE.md: its table of rooms says which room may use which, and this test
//! reports violations. Unit tests (`#[cfg(test)]` and files in `tests`) may use any room; comments and links
//! do not count as use.

// In a test, a panic is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod imports;
mod lengths;

use imports::{Uses, collect};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A path in the sources, as in `["http", "routes", "verify"]`.
type Names = Vec<String>;

/// A file of the sources.
struct Source {
    file: PathBuf,
    /// The module in this file.
    module: Names,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, without unit tests.
fn sources(folder: &Path, module: &[String], found: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module =
            if name == "mod" { module.to_vec() } else { [module, std::slice::from_ref(&name)].concat() };
        if name == "tests" {
        } else if path.is_dir() {
            sources(&path, &module, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source { file: path.strip_prefix(root()).unwrap().to_owned(), module, text });
        }
    }
}

/// The rooms' files.
fn rooms() -> Vec<Source> {
    let mut found = Vec::new();
    sources(&root().join("src"), &[], &mut found);
    found.retain(|source| !["main", "lib"].contains(&source.module[0].as_str()));
    found
}

/// The rows of ARCHITECTURE.md's table of rooms, in order: a room, and what it may use.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, table) =
        text.split_once("| room | what it is for | may use |\n|---|---|---|\n").expect("a table of rooms");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let [_, room, _, uses, _] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        (names(room).remove(0), names(uses).into_iter().collect())
    })
    .collect()
}

/// What each module uses.
fn uses(sources: &[Source]) -> Vec<(&Source, Uses)> {
    let read = |source: &Source| {
        let mut uses = Uses::new();
        collect(source.text.parse().expect("it is Rust"), &source.module, &mut uses);
        uses
    };
    sources.iter().map(|source| (source, read(source))).collect()
}

#[test]
fn the_root_of_the_sources_has_nothing_but_rooms_and_the_table_has_them_all() {
    let entries = fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().path());
    let (rooms, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files: BTreeSet<String> = files.iter().map(name).collect();
    assert_eq!(files, BTreeSet::from(["lib.rs".to_owned(), "main.rs".to_owned()]));
    let rooms: BTreeSet<String> = rooms.iter().map(name).collect();
    let named: BTreeSet<String> = table().into_iter().map(|(room, _)| room).collect();
    assert_eq!(named, rooms, "the table in ARCHITECTURE.md has a row for each room");
}

#[test]
fn a_room_may_use_only_rooms_below_it() {
    let table = table();
    for (place, (room, uses)) in table.iter().enumerate() {
        let above = table[..=place].iter().map(|(above, _)| above);
        let wrong: Vec<&String> = above.filter(|above| uses.contains(*above)).collect();
        assert!(wrong.is_empty(), "{room} cannot use {wrong:?}: they do not stand below it");
    }
}

#[test]
fn a_room_uses_only_what_the_table_allows() {
    let sources = rooms();
    let table: BTreeMap<String, BTreeSet<String>> = table().into_iter().collect();
    // A crate that one row names may not be used by other rooms.
    let crates: BTreeSet<&String> =
        table.values().flatten().filter(|name| !table.contains_key(*name)).collect();
    let mut wrong = Vec::new();
    let mut arrows = BTreeSet::new();
    for (source, uses) in uses(&sources) {
        let room = &source.module[0];
        for names in uses {
            let used = match &names[..] {
                [outside, name, ..] if outside.is_empty() && crates.contains(name) => name,
                [name, ..] if !name.is_empty() && name != room => name,
                _ => continue,
            };
            arrows.insert((room.clone(), used.clone()));
            if !table[room].contains(used) {
                wrong.push(format!("{} uses {}", source.file.display(), names.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "not in ARCHITECTURE.md's table: {wrong:#?}");
    let allowed = table.iter().flat_map(|(room, uses)| uses.iter().map(|used| (room.clone(), used.clone())));
    let unused: Vec<_> = allowed.filter(|arrow| !arrows.contains(arrow)).collect();
    assert!(unused.is_empty(), "allowed by ARCHITECTURE.md's table and not needed: {unused:?}");
}

#[test]
fn no_modules_of_a_room_have_circular_imports() {
    let sources = rooms();
    let modules: BTreeSet<&Names> = sources.iter().map(|source| &source.module).collect();
    let mut arrows: BTreeMap<Names, BTreeSet<Names>> = BTreeMap::new();
    for (source, uses) in uses(&sources) {
        for used in uses {
            // The first two modules in which the paths differ.
            let same = source.module.iter().zip(&used).take_while(|(own, other)| own == other).count();
            let (Some(own), Some(other)) = (source.module.get(..=same), used.get(..=same)) else { continue };
            if same > 0 && modules.contains(&other.to_vec()) {
                arrows.entry(own.to_vec()).or_default().insert(other.to_vec());
            }
        }
    }
    let reached = |from: &Names| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = next.pop() {
            let used = arrows.get(&module).into_iter().flatten();
            next.extend(used.filter(|used| reached.insert((*used).clone())).cloned());
        }
        reached
    };
    let names = |circle: BTreeSet<Names>| {
        circle.into_iter().map(|module| module.join("::")).collect::<Vec<_>>().join(", ")
    };
    let circles = arrows.keys().filter(|module| reached(module).contains(*module));
    let circles: BTreeSet<String> = circles
        .map(|module| {
            names(reached(module).into_iter().filter(|other| reached(other).contains(module)).collect())
        })
        .collect();
    assert!(circles.is_empty(), "{circles:?}");
}

#[test]
fn actions_are_pinned_by_commit() {
    let workflows = fs::read_dir(root().join(".github/workflows")).unwrap();
    let texts = workflows
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect::<Vec<_>>()
        .concat();
    let uses: Vec<&str> =
        texts.lines().filter_map(|line| line.split_once("uses: ")).map(|(_, action)| action).collect();
    let pinned = |action: &&str| {
        let commit = action.split_once('@').and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
        commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    assert!(!uses.is_empty() && uses.iter().all(pinned), "{uses:?}");
}
