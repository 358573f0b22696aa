//! Runs the checks of the fuzz targets on their stored inputs, so that they also run without cargo-fuzz.

#[path = "../../fuzz/checks.rs"]
mod checks;

use std::fs;
use std::path::Path;

#[test]
fn every_fuzz_check_holds_for_its_stored_inputs() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, check) in checks::CHECKS {
        assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).exists(), "{name} has a target");
        let inputs = fs::read_dir(fuzz.join("corpus").join(name)).unwrap();
        let inputs: Vec<_> = inputs.map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() > 5, "{name} has inputs: {inputs:?}");
        for input in inputs {
            println!("{}", input.display());
            check(&fs::read(input).unwrap());
        }
    }
    let targets = fs::read_dir(fuzz.join("fuzz_targets")).unwrap().count();
    assert_eq!(targets, checks::CHECKS.len(), "each target has its check");
}
