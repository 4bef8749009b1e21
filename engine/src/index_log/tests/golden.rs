//! Trees that the original wrote: what a recovery of them comes to, and how it sorted and optimized.

use crate::testing::store;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::model::State;
use super::tree::{decode, layout, limits, read_segment};
use crate::format::names::{SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode};
use crate::index_log::chain::RecordCounts;
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::index_log::record::Record;
use crate::index_log::segment_reader::OpenSegment;
use crate::index_log::sidecar_file::{SidecarOrigin, rebuild_sidecar};
use crate::index_log::verify::verify_index;
use crate::limits::MIB;
use crate::testing::{MemDisk, run};

const THREE_UNSORTED: &str = "10-three-unsorted";
const ALL_KINDS: &str = "14-optimized-sorted-unsorted-live";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn put_folder(disk: &MemDisk, from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            put_folder(disk, &entry.path(), &to);
        } else {
            disk.put(to, &std::fs::read(entry.path()).unwrap());
        }
    }
}

fn tree(name: &str) -> (MemDisk, Epoch) {
    let disk = MemDisk::new();
    put_folder(&disk, &golden().join("tree").join(name), Path::new("/data"));
    let checkpoint = String::from_utf8(disk.get(layout().checkpoint()).unwrap()).unwrap();
    (disk, Epoch::new(checkpoint.parse().unwrap()).unwrap())
}

fn strings(value: &Value) -> Option<std::collections::BTreeMap<Vec<u8>, Vec<u8>>> {
    let object = value.as_object()?;
    Some(
        object
            .iter()
            .map(|(key, value)| (key.clone().into_bytes(), value.as_str().unwrap().into()))
            .collect(),
    )
}

// What the original sent.
fn recovered_by_the_original(name: &str, index: &str) -> Vec<Record> {
    let path = golden().join("recovery").join(format!("{name}-{index}.json"));
    let recovery: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let records =
        recovery["pages"].as_array().unwrap().iter().flat_map(|page| page["records"].as_array().unwrap());
    records
        .map(|record| Record {
            timestamp_ms: record["timestamp_ms"].as_i64(),
            docid: record["docid"].as_str().unwrap().into(),
            deleted: record["deleted"].as_bool().unwrap(),
            fields: strings(&record["fields"]),
            variables: record["variables"].as_object().map(|variables| {
                let bits = |value: &Value| value.as_f64().unwrap().to_bits();
                variables.iter().map(|(key, value)| (key.parse().unwrap(), bits(value))).collect()
            }),
            categories: strings(&record["categories"]),
        })
        .collect()
}

// What this host sends: the chain, then the live records of the index.
fn recovered(disk: &MemDisk, checkpoint: Epoch, code: &IndexCode) -> Vec<Record> {
    let chain =
        run(IndexStore::new(&store(disk, &layout()), code, Bounds { checkpoint, deletion: None }).chain())
            .unwrap();
    let mut records = Vec::new();
    for segment in chain.in_order() {
        let open = run(OpenSegment::open(&store(disk, &layout()), code, segment.name)).unwrap();
        let cut = open.cut(0, u64::MAX).unwrap();
        records.extend(decode(&run(open.read_raw(cut.bytes())).unwrap()));
    }
    for live in disk.files().iter().filter(|path| path.starts_with(layout().raw_live())) {
        let bytes = disk.get(live).unwrap();
        let mut rest = bytes.as_slice();
        while let Ok((record, length)) = logtank_wire::record::RecordView::parse(rest) {
            if record.index_code == Some(code.as_str().as_bytes()) {
                records.push(Record::from_view(&record));
            }
            rest = &rest[length..];
        }
        assert!(rest.is_empty(), "the golden live segments are whole");
    }
    records
}

#[test]
fn a_recovery_comes_to_what_the_originals_recovery_came_to() {
    for tree_name in [THREE_UNSORTED, ALL_KINDS] {
        for index in ["m", "k"] {
            let (disk, checkpoint) = tree(tree_name);
            let code = IndexCode::new(index.as_bytes()).unwrap();
            let expected = State::after(&recovered_by_the_original(tree_name, index));
            assert!(!expected.0.is_empty());
            let files = disk.files();
            assert_eq!(State::after(&recovered(&disk, checkpoint, &code)), expected, "{tree_name} {index}");
            assert_eq!(disk.files(), files, "reading creates nothing");
            let limits = limits(16 * MIB as usize);
            run(IndexStore::new(&store(&disk, &layout()), &code, Bounds { checkpoint, deletion: None })
                .sort(&limits))
            .unwrap();
            assert_eq!(
                State::after(&recovered(&disk, checkpoint, &code)),
                expected,
                "{tree_name} {index}, sorted"
            );
            run(IndexStore::new(&store(&disk, &layout()), &code, Bounds { checkpoint, deletion: None })
                .optimize(&limits, None))
            .unwrap();
            assert_eq!(
                State::after(&recovered(&disk, checkpoint, &code)),
                expected,
                "{tree_name} {index}, optimized"
            );
            assert_eq!(
                run(verify_index(&store(&disk, &layout()), &code, &limits, &BTreeSet::new()))
                    .unwrap()
                    .findings,
                []
            );
        }
    }
}

#[test]
fn the_chain_of_a_tree_with_all_kinds_of_segments() {
    let (disk, checkpoint) = tree(ALL_KINDS);
    let code = IndexCode::new(b"m").unwrap();
    let chain =
        run(IndexStore::new(&store(&disk, &layout()), &code, Bounds { checkpoint, deletion: None }).chain())
            .unwrap();
    let names: Vec<String> = chain.in_order().map(|segment| segment.name.to_string()).collect();
    let expected = ["41.999.optimized_21", "57.089.sorted_4", "21.076.unsorted_2"];
    assert_eq!(names.len(), expected.len());
    assert!(names.iter().zip(expected).all(|(name, end)| name.ends_with(end)), "{names:?}");
    assert_eq!(chain.superseded.len(), 2, "the optimized segment covers both sorted ones up to its time");
    assert_eq!((chain.leftovers.len(), chain.undealt.len(), chain.orphans.len()), (0, 0, 0));
    let last_optimization = chain.optimized.unwrap().name.time;
    let counts = RecordCounts { optimized: 21, unoptimized: 6, unoptimized_segments: 2, last_optimization };
    assert_eq!(chain.record_counts(), counts);
}

#[test]
fn sorting_gives_what_the_originals_sort_gave() {
    let (disk, checkpoint) = tree(THREE_UNSORTED);
    let code = IndexCode::new(b"m").unwrap();
    let limits = limits(16 * MIB as usize);
    let sorted =
        run(IndexStore::new(&store(&disk, &layout()), &code, Bounds { checkpoint, deletion: None })
            .sort(&limits))
        .unwrap();
    let (original, _) = tree(ALL_KINDS);
    let name = SegmentName::parse("2026.11.22-10.33.39.460.sorted_19").unwrap();
    assert_eq!(sorted.published, [name]);
    assert_eq!(sorted.counts.records_in, 35);
    let left =
        run(IndexStore::new(&store(&disk, &layout()), &code, Bounds { checkpoint, deletion: None }).chain())
            .unwrap();
    assert_eq!((left.unsorted.len(), left.leftovers.len()), (0, 0));
    let ours = run(read_segment(&disk, name, 1 << 20)).unwrap();
    let theirs = run(read_segment(&original, name, 1 << 20)).unwrap();
    assert_eq!(ours, theirs, "each record, its timestamp, and their order");
}

#[test]
fn optimizing_gives_what_the_originals_gave_but_for_deletions() {
    let (disk, checkpoint) = tree(ALL_KINDS);
    let code = IndexCode::new(b"m").unwrap();
    let theirs = SegmentName::parse("2026.11.22-10.33.41.999.optimized_21").unwrap();
    let expected = State::after(&run(read_segment(&disk, theirs, 1 << 20)).unwrap());
    run(crate::io::disk::Disk::remove_file(&disk, &layout().segment(&code, theirs))).unwrap();
    // Of the two segments that the original merged, without the ones that came later.
    let until = Epoch::new(theirs.time.millis() + 1).unwrap();
    assert!(until < checkpoint);
    let limits = limits(16 * MIB as usize);
    let optimized =
        run(IndexStore::new(&store(&disk, &layout()), &code, Bounds { checkpoint: until, deletion: None })
            .optimize(&limits, None))
        .unwrap();
    let ours = optimized.published.unwrap().name;
    assert_eq!((optimized.segments, ours.time, ours.kind), (2, theirs.time, SegmentKind::Optimized));
    let records = run(read_segment(&disk, ours, 1 << 20)).unwrap();
    assert_eq!(State::after(&records), expected);
    assert!(records.iter().all(|record| !record.deleted));
}

#[test]
fn a_sidecar_is_made_once_and_found_again() {
    let (disk, _) = tree(THREE_UNSORTED);
    let code = IndexCode::new(b"m").unwrap();
    let name = SegmentName::parse("2026.11.22-10.33.40.231.unsorted_11").unwrap();
    let (made, origin) = run(rebuild_sidecar(&store(&disk, &layout()), &code, name)).unwrap();
    assert_eq!((origin, made.header().records, made.header().bytes), (SidecarOrigin::Missing, 11, 644));
    let (read, origin) = run(rebuild_sidecar(&store(&disk, &layout()), &code, name)).unwrap();
    assert_eq!((read, origin), (made, SidecarOrigin::Read));
}
