//! The original writes an optimized segment anew under its name: the same records, their maps in another order.

use crate::testing::store;
use std::collections::BTreeSet;
use std::path::PathBuf;

use logtank_wire::record::RecordWriter;

use super::tree::{
    change, code, deal, decode, empty_index, epoch, layout, limits, look, optimize, sort, state,
};
use crate::format::names;
use crate::index_log::record::Record;
use crate::index_log::repair::repair_index;
use crate::index_log::segment_reader::OpenSegment;
use crate::index_log::sidecar_file::{SidecarOrigin, replace_outdated};
use crate::index_log::verify::verify_index;
use crate::limits::{MIB, SIDECAR_BLOCK_BYTES};
use crate::testing::{MemDisk, run};
use crate::time::WallMillis;

fn documents(second: f64) -> Vec<Record> {
    let texts = |number: u32, length: usize| {
        Some(
            [
                (b"a".to_vec(), vec![b'x'; length]),
                (b"b".to_vec(), number.to_le_bytes().map(|b| b % 100).to_vec()),
            ]
            .into(),
        )
    };
    let document = |number: u32| Record {
        timestamp_ms: Some(7),
        docid: format!("{number:04}").into_bytes(),
        fields: texts(number, 700),
        variables: Some([(1, 0), (2, second.to_bits())].into()),
        categories: texts(number, 3),
        ..Record::default()
    };
    (0..300).map(document).collect()
}

/// An index with one optimized segment of several blocks, and its path.
fn optimized(second: f64) -> (MemDisk, PathBuf) {
    let disk = empty_index();
    run(deal(&disk, epoch(5), &documents(second))).unwrap();
    run(sort(&disk, &limits(16 * MIB as usize))).unwrap();
    run(optimize(&disk, &limits(16 * MIB as usize))).unwrap();
    run(super::tree::clean(&disk)).unwrap();
    let name = run(look(&disk)).unwrap().optimized.as_ref().unwrap().name;
    (disk, layout().segment(&code(), name))
}

/// The bytes of these records with each map the other way round, and another NaN.
fn written_anew(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in decode(bytes) {
        let mut writer = RecordWriter::begin(&mut out);
        writer.timestamp_ms(record.timestamp_ms.unwrap());
        writer.docid(&record.docid);
        writer.deleted(record.deleted);
        let (fields, variables, categories) =
            (record.fields.unwrap(), record.variables.unwrap(), record.categories.unwrap());
        writer.fields(
            fields.iter().rev().map(|(key, value)| (&key[..], &value[..])).collect::<Vec<_>>().into_iter(),
        );
        let of_variable = |(&key, &bits): (&i32, &u64)| {
            let value = f64::from_bits(bits);
            (key, if value.is_nan() { -value } else { value })
        };
        writer.variables(variables.iter().rev().map(of_variable).collect::<Vec<_>>().into_iter());
        writer.categories(
            categories
                .iter()
                .rev()
                .map(|(key, value)| (&key[..], &value[..]))
                .collect::<Vec<_>>()
                .into_iter(),
        );
        writer.finish();
    }
    assert_eq!(out.len(), bytes.len());
    out
}

fn findings(disk: &MemDisk) -> usize {
    let verified =
        run(verify_index(&store(disk, &layout()), &code(), &limits(MIB as usize), &BTreeSet::new()));
    verified.unwrap().findings.len()
}

fn open(disk: &MemDisk) -> OpenSegment<MemDisk> {
    let name = run(look(disk)).unwrap().optimized.as_ref().unwrap().name;
    run(OpenSegment::open(&store(disk, &layout()), &code(), name)).unwrap()
}

#[test]
fn a_segment_written_anew_is_no_damage() {
    let (disk, path) = optimized(f64::NAN);
    let before = open(&disk);
    disk.set_time(WallMillis(1_000_000));
    change(&disk, &path, |bytes| *bytes = written_anew(bytes));
    assert_eq!(findings(&disk), 0);
    assert_eq!(run(state(&disk)).unwrap().0.len(), 300);
    let open = open(&disk);
    assert_eq!(*open.origin(), SidecarOrigin::Outdated);
    assert_eq!(open.sidecar().header().epochs, before.sidecar().header().epochs);
    let name = run(look(&disk)).unwrap().optimized.as_ref().unwrap().name;
    run(replace_outdated(&store(&disk, &layout()), &code(), name, open.sidecar())).unwrap();
    assert_eq!(*self::open(&disk).origin(), SidecarOrigin::Read);
}

#[test]
fn a_flipped_bit_is_damage_whatever_the_time_says() {
    // Not of a NaN: all its bits mean the same.
    let (disk, path) = optimized(2.5);
    let whole = disk.get(&path).unwrap();
    disk.set_time(WallMillis(1_000_000));
    for bytes in [written_anew(&whole), whole] {
        for at in (0..60_000).step_by(1_997) {
            disk.put(&path, &bytes);
            change(&disk, &path, |bytes| bytes[at] ^= 1);
            assert!(findings(&disk) > 0, "byte {at}");
            assert!(run(state(&disk)).is_err(), "byte {at}");
        }
    }
}

#[test]
fn repair_keeps_a_segment_written_anew_also_where_no_time_tells() {
    let (disk, path) = optimized(f64::NAN);
    // A copy that was made without the times.
    change(&disk, &path, |bytes| *bytes = written_anew(bytes));
    let anew = disk.get(&path).unwrap();
    assert!(findings(&disk) > 0);
    let aside = layout().data().join("damaged");
    let repaired =
        run(repair_index(&store(&disk, &layout()), &code(), &limits(MIB as usize), &BTreeSet::new(), &aside))
            .unwrap();
    assert_eq!(repaired, []);
    assert_eq!(disk.get(&path).unwrap(), anew);
    assert_eq!(findings(&disk), 0);
}

#[test]
fn repair_keeps_a_whole_segment_that_is_not_its_sidecars() {
    let disk = empty_index();
    let name = run(deal(&disk, epoch(5), &documents(f64::NAN))).unwrap();
    let path = layout().segment(&code(), name);
    change(&disk, &path, |bytes| *bytes = written_anew(bytes));
    let anew = disk.get(&path).unwrap();
    let aside = layout().data().join("damaged");
    let repair = || {
        run(repair_index(&store(&disk, &layout()), &code(), &limits(MIB as usize), &BTreeSet::new(), &aside))
            .unwrap()
    };
    let [told] = repair().try_into().unwrap();
    assert_eq!((told.name, told.records, told.lost_records), (Some(name), 300, 0));
    assert_eq!(told.damaged, names::sidecar_of(&path));
    assert_eq!(disk.get(&path).unwrap(), anew);
    assert_eq!((findings(&disk), repair()), (0, vec![]));
    // Where other blocks are right, it is the sidecar's, and damaged.
    let (disk, path) = optimized(f64::NAN);
    change(&disk, &path, |bytes| bytes[SIDECAR_BLOCK_BYTES + 700] ^= 1);
    let repaired =
        run(repair_index(&store(&disk, &layout()), &code(), &limits(MIB as usize), &BTreeSet::new(), &aside))
            .unwrap();
    assert!(repaired[0].lost_records > 0, "{repaired:?}");
}
