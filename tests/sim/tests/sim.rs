//! The simulation as part of the test suite.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;

use logtank_sim::run::{Options, run};

fn last_line(arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_logtank-sim")).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().last().unwrap_or_default().to_owned(), text)
}

#[test]
fn two_thousand_seeds_break_no_promise() {
    let (last, all) = last_line(&["--from", "0", "--seeds", "2000"]);
    assert_eq!(last, "2000 seeds, 0 failed", "{all}");
}

#[test]
fn the_same_seed_has_the_same_trace() {
    for seed in [1, 7, 1_234, 99_999] {
        let (first, second) = (run(seed, Options::default()), run(seed, Options::default()));
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first.hash, run(seed + 1, Options::default()).hash);
    }
}

/// What the drive leaves out needs no engine built for it: a few of the deliberate bugs are tried each time, all of them
/// by `logtank-sim --mutants`.
#[test]
fn deliberate_bugs_are_caught() {
    for mutant in ["WriteNotAwaited", "SyncNotAwaited", "LiveFolderNotSynced", "SegmentsNotSynced"] {
        let (last, all) = last_line(&["--mutant", mutant, "--seeds", "200"]);
        assert!(last.starts_with("200 seeds, ") && !last.ends_with(" 0 failed"), "{mutant}: {all}");
    }
}
