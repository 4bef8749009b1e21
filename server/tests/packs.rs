//! What `inspect` and `verify` say of packs.

use std::path::{Path, PathBuf};

use crate::program::run;

const RECENT: &str = "1795913298397.0-1795913300983.7_0_all.recent";
const EMPTY: &str = "1795913300983.7-1795913303000.0_0_all.recent";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/own/pack").join(name)
}

/// A data directory with two packs, which hold everything that is dealt.
fn tree(data: &Path) -> PathBuf {
    let packs = data.join("packs");
    std::fs::create_dir_all(&packs).unwrap();
    std::fs::write(data.join("dealer.next_timestamp.info"), "1795913303000").unwrap();
    // With which the original begins: a tree without a raw log is refused.
    std::fs::create_dir_all(data.join("raw/live")).unwrap();
    std::fs::write(data.join("raw/live/1795913303000.raw"), "").unwrap();
    std::fs::copy(golden("v1/recent"), packs.join(RECENT)).unwrap();
    std::fs::copy(golden("v1/empty"), packs.join(EMPTY)).unwrap();
    packs
}

#[test]
fn inspect_shows_a_pack_its_slices_and_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let pack = tree(folder.path()).join(RECENT);
    let pack = pack.to_str().unwrap();
    let outcome = run(&["inspect", pack]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for part in ["kind of pack       recent", "indexes            3", "end                1795913300983/7"] {
        assert!(outcome.out.contains(part), "{part} in {outcome:?}");
    }
    let outcome = run(&["inspect", "--list", "--json", pack]);
    let indexes: Vec<_> = outcome.out.lines().filter(|line| line.contains("\"kind\":\"slice\"")).collect();
    assert_eq!((outcome.code, indexes.len()), (Some(0), 3), "{outcome:?}");
    let outcome = run(&["inspect", "--index", "index-2", "--records", pack]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.out.contains("kind of slice sorted") && outcome.out.contains("d-01"), "{outcome:?}");
    assert!(!outcome.out.contains("index index-1"), "{outcome:?}");
    let outcome = run(&["inspect", "--index", "nobody", pack]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.out.contains("no slice  index nobody"), "{outcome:?}");
}

#[test]
fn inspect_names_the_damage_of_a_pack_and_shows_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let pack = tree(folder.path()).join(RECENT);
    std::fs::copy(golden("damaged/label"), &pack).unwrap();
    let outcome = run(&["inspect", "--list", pack.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.out.contains("DAMAGED") && outcome.out.contains("slice's label"), "{outcome:?}");
    assert_eq!(outcome.out.lines().filter(|line| line.starts_with("slice")).count(), 2, "{outcome:?}");
}

#[test]
fn slices_of_what_is_no_pack_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let other = folder.path().join("dealer.next_timestamp.info");
    let outcome = run(&["inspect", "--list", other.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.err.contains("show slices of a pack"), "{outcome:?}");
}

#[test]
fn verify_reads_packs_and_names_what_is_damaged_or_lost() {
    let folder = tempfile::tempdir().unwrap();
    let packs = tree(folder.path());
    let verify = || run(&["verify", folder.path().to_str().unwrap()]);
    let outcome = verify();
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.err.contains("3 files, 6 records, 518 bytes read; 0 findings"), "{outcome:?}");
    std::fs::copy(golden("damaged/data"), packs.join(RECENT)).unwrap();
    let outcome = verify();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.out.contains("the checksum of the slice's records does not match"), "{outcome:?}");
    std::fs::remove_file(packs.join(EMPTY)).unwrap();
    std::fs::copy(golden("v1/recent"), packs.join(RECENT)).unwrap();
    let outcome = verify();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.out.contains("no pack of cell all holds 1795913300983.7-1795913303000.0"), "{outcome:?}");
}
