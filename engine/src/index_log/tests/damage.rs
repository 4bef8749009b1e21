//! Damage: each flipped bit, cut or missing file is found, or does no harm.

use crate::testing::store;
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::crash::index_of_all_kinds;
use super::model::State;
use super::tree::{
    change, code, deal, deal_legacy, empty_index, encode, epoch, layout, limits, look, read_segment, sort,
    state,
};
use crate::error::{Corruption, Error};
use crate::format::names;
use crate::index_log::record::Record;
use crate::index_log::segment_reader::OpenSegment;
use crate::index_log::sidecar_file::SidecarOrigin;
use crate::index_log::verify::{Verified, verify_index};
use crate::limits::MIB;
use crate::testing::{MemDisk, run};

fn verify(disk: &MemDisk) -> Verified {
    run(verify_index(&store(disk, &layout()), &code(), &limits(16 * MIB as usize), &BTreeSet::new())).unwrap()
}

// Segments that have a sidecar, and the sidecars, with an index of which all segments count.
fn files_with_checksums() -> (MemDisk, State, Vec<PathBuf>, Vec<PathBuf>) {
    let (disk, expected) = index_of_all_kinds();
    let chain = run(look(&disk)).unwrap();
    let segments = chain.in_order().map(|segment| layout().segment(&code(), segment.name));
    let segments: Vec<_> = segments.filter(|path| disk.get(names::sidecar_of(path)).is_some()).collect();
    assert_eq!(segments.len(), 5, "one optimized, two sorted, two unsorted");
    let sidecars = segments.iter().map(|path| names::sidecar_of(path)).collect();
    (disk, expected, segments, sidecars)
}

fn corruption<T: std::fmt::Debug>(result: Result<T, Error>) -> Corruption {
    match result {
        Err(Error::Corrupt(corruption)) => corruption,
        other => panic!("not found: {other:?}"),
    }
}

#[test]
fn a_flipped_bit_of_a_segment_is_found_before_it_is_served() {
    let (disk, _, segments, _) = files_with_checksums();
    for path in segments {
        let bytes = disk.get(&path).unwrap();
        for at in (0..bytes.len()).step_by(3) {
            change(&disk, &path, |bytes| bytes[at] ^= 1 << (at % 8));
            let found = corruption(run(state(&disk)));
            assert_eq!((&found.path, found.offset), (&path, 0), "the block of 64 KiB that it lies in");
            assert_eq!(verify(&disk).findings, [found]);
            disk.put(&path, &bytes);
        }
        for length in (0..bytes.len()).step_by(5) {
            disk.put(&path, &bytes[..length]);
            let found = corruption(run(state(&disk)));
            assert_eq!((&found.path, found.offset), (&path, length as u64), "where it ends");
            disk.put(&path, &bytes);
        }
        change(&disk, &path, |bytes| bytes.push(0));
        assert_eq!(verify(&disk).findings.len(), 1, "bytes behind the end");
        disk.put(&path, &bytes);
    }
    assert_eq!(verify(&disk).findings, []);
}

#[test]
fn a_damaged_or_missing_sidecar_is_found_and_does_no_harm() {
    let (disk, expected, _, sidecars) = files_with_checksums();
    for path in sidecars {
        let bytes = disk.get(&path).unwrap();
        let damaged = (0..bytes.len()).map(|at| {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            damaged
        });
        let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
        for damaged in damaged.chain(cut).chain([[bytes.clone(), vec![0]].concat()]) {
            disk.put(&path, &damaged);
            assert_eq!(run(state(&disk)).unwrap(), expected);
            let findings = verify(&disk).findings;
            assert_eq!(findings.len(), 1);
            assert_eq!(findings[0].path, path);
        }
        run(crate::io::disk::Disk::remove_file(&disk, &path)).unwrap();
        assert_eq!(run(state(&disk)).unwrap(), expected);
        assert_eq!(verify(&disk).findings, [], "a segment need not have a sidecar");
        disk.put(&path, &bytes);
    }
}

#[test]
fn a_damaged_sidecar_does_not_vouch_for_a_damaged_segment() {
    let (disk, _, segments, _) = files_with_checksums();
    for path in segments {
        change(&disk, &names::sidecar_of(&path), |bytes| bytes[20] ^= 1);
        let bytes = disk.get(&path).unwrap();
        for length in (0..bytes.len()).step_by(7) {
            disk.put(&path, &bytes[..length]);
            assert_eq!(corruption(run(state(&disk))).path, path);
        }
        disk.put(&path, &bytes);
    }
}

#[test]
fn a_sidecar_of_another_segment_is_not_believed() {
    let (disk, expected, segments, sidecars) = files_with_checksums();
    disk.put(&sidecars[1], &disk.get(&sidecars[2]).unwrap());
    assert_eq!(run(state(&disk)).unwrap(), expected);
    let name = run(look(&disk)).unwrap().sorted[0].name;
    let open = run(OpenSegment::open(&store(&disk, &layout()), &code(), name)).unwrap();
    assert_eq!(open.path(), segments[1]);
    assert!(matches!(open.origin(), SidecarOrigin::Damaged(corruption) if corruption.path == sidecars[1]));
}

fn document(docid: &str, length: usize) -> Record {
    let fields = Some([(b"text".to_vec(), vec![b'x'; length])].into());
    Record { timestamp_ms: Some(7), docid: docid.into(), fields, ..Record::default() }
}

#[test]
fn the_originals_torn_tail_costs_only_the_torn_record() {
    let records = [document("a", 10), document("b", 0), document("c", 30)];
    let whole = encode(&records);
    let ends: Vec<usize> = (0..=3).map(|count| encode(&records[..count]).len()).collect();
    for length in 0..=whole.len() {
        for zeros in [0, 1, 500] {
            let disk = empty_index();
            let name = deal_legacy(&disk, epoch(1), &records);
            let path = layout().segment(&code(), name);
            disk.put(&path, &[&whole[..length], &vec![0; zeros]].concat());
            let count = ends.iter().filter(|&&end| end <= length).count() - 1;
            if zeros > 0 && !ends.contains(&length) {
                // Zeros may complete a torn record, and then there is nothing to tell it from a whole one.
                continue;
            }
            assert_eq!(
                run(read_segment(&disk, name, 1)).unwrap(),
                records[..count],
                "{length} bytes, {zeros} zeros"
            );
            let findings = verify(&disk).findings;
            assert_eq!(findings.len(), usize::from(count < 3 || zeros > 0));
            let sorted = run(sort(&disk, &limits(16 * MIB as usize))).unwrap();
            assert_eq!(sorted.findings, findings, "the sort tells");
            assert_eq!(run(state(&disk)).unwrap(), State::after(&records[..count]));
        }
    }
}

#[test]
fn a_record_without_docid_within_a_segment_is_corruption() {
    let disk = empty_index();
    let name = deal_legacy(&disk, epoch(1), &[document("a", 1), document("b", 1)]);
    let path = layout().segment(&code(), name);
    let first = encode(&[document("a", 1)]).len();
    change(&disk, &path, |bytes| bytes[first] = 0);
    let found = corruption(run(state(&disk)));
    assert_eq!((&found.path, found.offset), (&path, first as u64));
}

#[test]
fn damage_costs_only_the_blocks_that_it_touches() {
    let disk = empty_index();
    let records: Vec<Record> = (0..40).map(|number| document(&format!("{number:02}"), 10_000)).collect();
    let name = run(deal(&disk, epoch(1), &records)).unwrap();
    let path = layout().segment(&code(), name);
    change(&disk, &path, |bytes| bytes[3 * 65_536 + 5] ^= 0x80);
    let open = run(OpenSegment::open(&store(&disk, &layout()), &code(), name)).unwrap();
    let (mut at, mut readable, mut damaged) = (0, 0, Vec::new());
    while at < open.sidecar().header().bytes {
        let cut = open.cut(at, 1).unwrap();
        match run(open.read_raw(cut.bytes())) {
            Ok(page) => readable += super::tree::decode(&page).len(),
            Err(error) => damaged.push(corruption::<()>(Err(error))),
        }
        at = cut.end.offset;
    }
    assert!(damaged.iter().all(|found| found.offset == 3 * 65_536 && found.path == path), "{damaged:?}");
    assert!((26..=33).contains(&readable), "{readable} of 40 records");
    assert_eq!(verify(&disk).findings, damaged[..1]);
    assert_eq!(open.cut(17, 1), None, "no record begins there");
}

#[test]
fn an_input_that_can_not_be_read_whole_is_neither_merged_nor_removed() {
    let disk = empty_index();
    for time in 1..=3 {
        run(deal(&disk, epoch(time), &[document(&format!("{time}"), 9)])).unwrap();
    }
    let name = run(look(&disk)).unwrap().unsorted[1].name;
    change(&disk, &layout().segment(&code(), name), |bytes| bytes[30] ^= 4);
    let files = disk.files();
    assert_eq!(
        corruption(run(sort(&disk, &limits(16 * MIB as usize)))).path,
        layout().segment(&code(), name)
    );
    assert_eq!(disk.files(), files);
}

#[test]
fn a_sorted_segment_out_of_order_is_found() {
    let disk = empty_index();
    let name = names::SegmentName { time: epoch(1), kind: names::SegmentKind::Sorted, records: 2 };
    let first = encode(&[document("b", 1)]).len() as u64;
    disk.put(layout().segment(&code(), name), &encode(&[document("b", 1), document("a", 1)]));
    assert_eq!(verify(&disk).findings[0].offset, first);
    assert_eq!(corruption(run(super::tree::optimize(&disk, &limits(16 * MIB as usize)))).offset, first);
}
