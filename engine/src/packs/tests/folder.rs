use std::path::Path;

use super::support::{Model, key, name, record, unsorted, write_to};
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::Layout;
use crate::ids::Epoch;
use crate::packs::verify_folder::{VerifiedPacks, verify_packs};
use crate::store::Store;
use crate::testing::{MemDisk, run, store};

const PACKS: [&str; 3] = ["5.0-7.0_0_all.recent", "7.0-8.3_0_all.recent", "8.3-9.0_0_all.recent"];

/// A data directory with these packs, of two records each, where everything before epoch 9 is dealt.
fn tree(packs: &[&str]) -> Store<MemDisk> {
    let disk = MemDisk::new();
    disk.put("/data/master", b"");
    let store = store(&disk, &Layout::new(Path::new("/data"), None));
    run(Checkpoint::advance(&store, Epoch::new(9).unwrap())).unwrap();
    for pack in packs {
        let first = name(pack).range().first();
        let mut slice = unsorted(vec![record(0, 9), record(1, 9)]);
        slice.first = first;
        disk.put_folder(store.layout().packs());
        let model: Model = [(key("m"), slice)].into();
        write_to(&disk, &store.layout().packs(), name(pack), &model);
    }
    store
}

fn verified(store: &Store<MemDisk>) -> VerifiedPacks {
    run(verify_packs(store, &|_| {})).unwrap()
}

fn findings(store: &Store<MemDisk>) -> Vec<String> {
    verified(store).findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_folder_of_whole_packs_is_well() {
    let store = tree(&PACKS);
    let found = verified(&store);
    assert_eq!((found.files, found.records, found.findings), (3, 6, vec![]));
    assert_eq!(verified(&tree(&[])), VerifiedPacks::default());
}

#[test]
fn a_lost_pack_is_found_by_the_names_of_the_others() {
    let store = tree(&[PACKS[0], PACKS[2]]);
    let gap =
        "/data/packs is corrupt at byte 0: no pack of cell all holds 7.0-8.3: put the file that does back";
    assert_eq!(findings(&store), [gap]);
    let store = tree(&PACKS[..2]);
    assert_eq!(findings(&store), [gap.replace("7.0-8.3", "8.3-9.0")]);
}

#[test]
fn what_ends_after_the_checkpoint_is_passed_over() {
    let store = tree(&PACKS);
    store.disk().put("/data/packs/9.0-9.5_0_all.recent", b"half a pack");
    store.disk().put("/data/packs/.tmp-9.5-10.0_0_all.recent", b"");
    assert_eq!(findings(&store), [""; 0]);
}

#[test]
fn a_damaged_pack_and_a_name_that_is_none_are_named() {
    let store = tree(&PACKS);
    let path = store.layout().packs().join(PACKS[1]);
    let mut bytes = store.disk().get(&path).unwrap();
    bytes[4_100] ^= 1;
    store.disk().put(&path, &bytes);
    store.disk().put("/data/packs/copy of a pack", b"");
    let [odd, damaged] = findings(&store).try_into().unwrap();
    assert!(odd.starts_with("/data/packs/copy of a pack") && odd.ends_with("move it away"), "{odd}");
    assert!(damaged.contains("7.0-8.3_0_all.recent is corrupt at byte 4096"), "{damaged}");
}

#[test]
fn without_a_checkpoint_each_pack_is_verified_all_the_same() {
    let store = tree(&[PACKS[0], PACKS[2]]);
    store.disk().put(store.layout().checkpoint(), b"nonsense");
    let found = verified(&store);
    assert_eq!((found.files, found.findings), (2, vec![]));
}
