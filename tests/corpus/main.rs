//! Every input that the fuzzer kept: none of them may break what must hold.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use logtank_fuzz_targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_corpus_of_every_target_holds() {
    let (mut inputs, mut broken) = (0, Vec::new());
    for (name, target) in TARGETS {
        let folder = fuzz().join("corpus").join(name);
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let input = std::fs::read(&file).unwrap();
            inputs += 1;
            if catch_unwind(|| target(&input)).is_err() {
                broken.push(file);
            }
        }
    }
    assert!(broken.is_empty(), "of {inputs} inputs these break what must hold: {broken:#?}");
}

#[test]
fn every_target_is_fuzzed_and_has_a_corpus() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), known);
    assert_eq!(names(&fuzz().join("corpus")), known);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &known {
        assert!(
            manifest.contains(&format!("\nname = \"{name}\"\n")),
            "fuzz/Cargo.toml has no program {name}"
        );
    }
}
