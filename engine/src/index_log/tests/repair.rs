//! Repair: what lies in whole blocks stays, what does not is told, and doing it again finishes it.

use crate::testing::store;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::tree::{change, code, deal, empty_index, epoch, layout, limits, state};
use crate::format::names;
use crate::index_log::record::Record;
use crate::index_log::repair::{RepairedSegment, repair_index};
use crate::index_log::verify::verify_index;
use crate::limits::{MIB, SIDECAR_BLOCK_BYTES};
use crate::testing::{MemDisk, run};

const RECORDS: u64 = 500;

fn aside() -> PathBuf {
    layout().data().join("damaged")
}

/// An index of one unsorted segment of some blocks, and its path.
fn index() -> (MemDisk, PathBuf) {
    let disk = empty_index();
    let records: Vec<Record> = (0..RECORDS)
        .map(|number| Record {
            docid: format!("d{number:04}").into_bytes(),
            fields: Some([(b"text".to_vec(), vec![b'x'; 1000])].into_iter().collect()),
            ..Record::default()
        })
        .collect();
    let name = run(deal(&disk, epoch(5), &records)).unwrap();
    let path = layout().segment(&code(), name);
    (disk, path)
}

fn repaired(disk: &MemDisk) -> Vec<RepairedSegment> {
    run(repair_index(&store(disk, &layout()), &code(), &limits(MIB as usize), &BTreeSet::new(), &aside()))
        .unwrap()
}

fn findings(disk: &MemDisk) -> usize {
    run(verify_index(&store(disk, &layout()), &code(), &limits(MIB as usize), &BTreeSet::new()))
        .unwrap()
        .findings
        .len()
}

fn flip(disk: &MemDisk, path: &Path, at: usize) {
    change(disk, path, |bytes| bytes[at] ^= 1);
}

#[test]
fn a_damaged_block_costs_the_records_that_touch_it() {
    for block in [0, 2, 7] {
        let (disk, path) = index();
        let whole = disk.get(&path).unwrap();
        assert!(whole.len() > 7 * SIDECAR_BLOCK_BYTES, "{}", whole.len());
        flip(&disk, &path, block * SIDECAR_BLOCK_BYTES + 100);
        let damaged = disk.get(&path).unwrap();
        let [done] = repaired(&disk).try_into().unwrap();
        assert_eq!(done.records + done.lost_records, RECORDS);
        // A block holds some sixty; those that reach in from its neighbours go with it.
        assert!((30..200).contains(&done.lost_records), "block {block}: {done:?}");
        assert_eq!(findings(&disk), 0, "block {block}");
        assert_eq!(run(state(&disk)).unwrap().0.len() as u64, done.records);
        assert_eq!(disk.get(&done.aside).unwrap(), damaged, "kept as it was");
        assert!(repaired(&disk).is_empty(), "once is enough");
    }
}

#[test]
fn a_damaged_sidecar_costs_nothing() {
    let (disk, path) = index();
    flip(&disk, &names::sidecar_of(&path), 70);
    assert!(findings(&disk) > 0);
    assert!(repaired(&disk).is_empty());
    assert_eq!(findings(&disk), 0);
    assert_eq!(run(state(&disk)).unwrap().0.len() as u64, RECORDS);
}

#[test]
fn what_is_whole_is_left_alone() {
    let (disk, path) = index();
    let before = disk.get(&path).unwrap();
    assert!(repaired(&disk).is_empty());
    assert_eq!(disk.get(&path).unwrap(), before);
    assert!(disk.get(aside()).is_none());
}

#[test]
fn an_earlier_damaged_file_is_still_there_after_a_second_repair() {
    let (disk, path) = index();
    let sidecar = names::sidecar_of(&path);
    let whole = disk.get(&sidecar).unwrap();
    let mut damaged = Vec::new();
    for at in [70, 71] {
        // Put back from a copy.
        disk.put(&sidecar, &whole);
        flip(&disk, &sidecar, at);
        damaged.push(disk.get(&sidecar).unwrap());
        repaired(&disk);
        assert_eq!(findings(&disk), 0);
    }
    let kept = aside().join(code().as_str()).join(sidecar.file_name().unwrap());
    let second = kept.with_extension("sum.2");
    assert_eq!([disk.get(&kept).unwrap(), disk.get(&second).unwrap()], [&damaged[0][..], &damaged[1][..]]);
}
