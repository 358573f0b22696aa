//! What the fuzz target of the readers of lists checks, on the inputs that are kept for it.

#[path = "../../fuzz/list_checks.rs"]
mod list_checks;

use std::fs;
use std::path::Path;

#[test]
fn the_readers_of_lists_hold_for_the_inputs_that_are_kept() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/list");
    let inputs: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() > 10, "{inputs:?}");
    for input in inputs {
        println!("{}", input.display());
        list_checks::list(&fs::read(input).unwrap());
    }
}
