use proptest::prelude::*;

use super::support::{
    FOLDER, Model, NAME, Slice, code, empty_disk, key, name, open, read, record, unsorted, write,
};
use crate::format::pack::name::PackKind;
use crate::format::pack::{Cell, CodeHash, PackName, PackRange, SliceKind};
use crate::ids::{IndexCode, Position};
use crate::limits::SIDECAR_BLOCK_BYTES;
use crate::packs::cursor::Cursor;
use crate::packs::open_pack::OpenPack;
use crate::packs::slice::OpenSlice;
use crate::packs::verify::verify_pack;
use crate::testing::{MemDisk, run};
use std::path::Path;

fn is_as_written(slice: &OpenSlice<MemDisk>, expected: &Slice, pack: &PackName) {
    let info = slice.info();
    assert_eq!((info.kind, info.first, info.end), (expected.kind, expected.first, pack.range().end()));
    assert_eq!(info.dropped, expected.dropped);
    assert_eq!(info.records, expected.records.len() as u64);
    assert!(read(slice, 5_000).unwrap() == expected.bytes(), "{}: other bytes", slice.code());
}

fn cursor_is_as_written(pack: &OpenPack<MemDisk>, model: &Model, cell: Cell, window: usize) {
    let mut cursor = Cursor::new(pack, cell, window);
    for ((_, code), expected) in model.iter().filter(|((hash, _), _)| cell.holds(*hash)) {
        let slice = run(cursor.advance()).unwrap().expect("there is one more");
        assert_eq!(slice.code(), code);
        is_as_written(&slice, expected, pack.name());
    }
    assert!(run(cursor.advance()).unwrap().is_none());
    assert!(run(cursor.advance()).unwrap().is_none(), "it stays at the end");
}

fn is_all_there(disk: &MemDisk, name: PackName, model: &Model) {
    let pack = open(disk, name).unwrap();
    assert_eq!((pack.findings(), pack.created().unwrap().0), (&[][..], 9_000));
    for ((_, code), expected) in model {
        let slice = run(pack.lookup(code)).unwrap().expect("it was written");
        assert_eq!(slice.code(), code);
        is_as_written(&slice, expected, &name);
    }
    let verified = run(verify_pack(disk, Path::new(FOLDER), name)).unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!(verified.slices, model.len() as u64);
}

#[test]
fn an_empty_pack_holds_nothing_and_is_whole() {
    let disk = empty_disk();
    let (published, _) = write(&disk, name(NAME), &Model::new());
    assert_eq!((published.slices, published.file_bytes), (0, 4_096 + 64));
    is_all_there(&disk, name(NAME), &Model::new());
    assert!(run(open(&disk, name(NAME)).unwrap().lookup(&code("m"))).unwrap().is_none());
}

#[test]
fn slices_of_every_length_around_a_block_are_read_back() {
    let block = SIDECAR_BLOCK_BYTES;
    let empty = record(0, 0).len();
    let of = |bytes: usize| vec![record(0, bytes - empty)];
    let many = |records: usize| (0..records).map(|docid| record(docid, 700)).collect();
    let slices = [
        ("one-byte-less", of(block - 1)),
        ("one-block", of(block)),
        ("one-byte-more", of(block + 1)),
        ("two-blocks", of(2 * block)),
        ("long-record", [many(50), of(5 * block), many(50)].concat()),
        ("many", many(2_000)),
        ("tiny", of(empty)),
    ];
    let model: Model = slices.into_iter().map(|(code, records)| (key(code), unsorted(records))).collect();
    assert_eq!(model[&key("one-block")].bytes().len(), block);
    let disk = empty_disk();
    let (published, _) = write(&disk, name(NAME), &model);
    assert_eq!(published.data_bytes, model.values().map(|slice| slice.bytes().len() as u64).sum::<u64>());
    is_all_there(&disk, name(NAME), &model);
    let pack = open(&disk, name(NAME)).unwrap();
    for window in [1, 8 * block] {
        cursor_is_as_written(&pack, &model, Cell::ALL, window);
    }
}

#[test]
fn memory_is_one_write_one_directory_block_and_the_fences() {
    let model: Model = (0..20_000)
        .map(|number| (key(&format!("index-{number}")), unsorted(vec![record(number, 20)])))
        .chain([(key("long"), unsorted((0..3_000).map(|docid| record(docid, 1_000)).collect()))])
        .collect();
    let disk = empty_disk();
    let (published, memory) = write(&disk, name(NAME), &model);
    // Of a slice of 3 MB its table: 16 bytes for each 64 KiB.
    let bound = (1 << 20) + 16 * 1024 + 4_096;
    assert!(memory < bound, "{memory} bytes for a file of {}", published.file_bytes);
    let pack = open(&disk, name(NAME)).unwrap();
    assert!(pack.fences().memory_bytes() < 4_096, "{} bytes", pack.fences().memory_bytes());
    assert!(pack.fences().len() > 20, "of {} blocks", pack.fences().len());
    let longest = (0..pack.fences().len()).map(|number| pack.fences().get(number).longest_bytes()).max();
    assert_eq!(longest, Some((model[&key("long")].bytes().len() as u64).next_multiple_of(1_024)));
    for absent in (0..2_000).map(|number| code(&format!("absent-{number}"))) {
        assert!(run(pack.lookup(&absent)).unwrap().is_none());
    }
    cursor_is_as_written(&pack, &model, Cell::ALL, 1 << 16);
    for cell in ["0", "1", "0110", "111111111111"] {
        cursor_is_as_written(&pack, &model, Cell::parse(cell).unwrap(), 1 << 16);
    }
}

#[test]
fn a_name_that_is_taken_is_not_written_over() {
    let disk = empty_disk();
    let model: Model = [(key("m"), unsorted(vec![record(0, 9)]))].into();
    write(&disk, name(NAME), &model);
    let failed = run(async {
        let writer = crate::packs::writer::PackWriter::create(
            &disk,
            Path::new(FOLDER),
            name(NAME),
            crate::time::WallMillis(1),
        );
        writer.await.unwrap().publish().await.unwrap_err()
    });
    assert!(failed.to_string().contains("move it away"), "{failed}");
    is_all_there(&disk, name(NAME), &model);
    assert_eq!(disk.files(), [Path::new(FOLDER).join(NAME)], "the temporary file is gone");
}

fn any_slice(range: PackRange, is_base: bool) -> impl Strategy<Value = Slice> {
    let (first, end) = (range.first().packed(), range.end().packed());
    let lengths = prop_oneof![8 => 0..300_usize, 1 => 60_000..70_000_usize, 1 => 100_000..300_000_usize];
    let kinds = if is_base { 3 } else { 2_usize };
    (prop::collection::vec(lengths, 1..6), 0..kinds, first..end, any::<bool>(), 0..=end, 0..10_usize)
        .prop_map(move |(lengths, kind, own_first, has_first, dropped, empty)| {
            let kind = [SliceKind::Unsorted, SliceKind::Sorted, SliceKind::Base][kind];
            let records =
                lengths.into_iter().enumerate().map(|(docid, bytes)| record(docid, bytes)).collect();
            let is_empty = kind == SliceKind::Base && empty == 0;
            Slice {
                kind,
                first: if has_first { Position::from_packed(own_first) } else { range.first() },
                dropped: if kind == SliceKind::Base {
                    Position::from_packed(dropped)
                } else {
                    Position::ZERO
                },
                records: if is_empty { Vec::new() } else { records },
            }
        })
}

fn any_pack() -> impl Strategy<Value = (PackName, Model)> {
    (1..1_000_u64, 1..1_000_u64, any::<bool>(), 0..3_u8, any::<u32>()).prop_flat_map(
        |(first, length, is_base, bits, prefix)| {
            let range =
                PackRange::new(Position::from_packed(first), Position::from_packed(first + length)).unwrap();
            let prefix = if bits == 0 { 0 } else { prefix & u32::MAX << (32 - bits) };
            let name = if is_base {
                PackName::base(range, 3, Cell::new(prefix, bits).unwrap())
            } else {
                PackName::recent(range, 0)
            };
            let slices =
                prop::collection::btree_map("[a-z0-9]{1,3}|[A-Z]{120,128}", any_slice(range, is_base), 0..40);
            let in_cell = move |slices: std::collections::BTreeMap<String, Slice>| {
                let keyed = slices.into_iter().map(|(code, slice)| (key(&code), slice));
                (name, keyed.filter(|((hash, _), _)| name.cell().holds(*hash)).collect::<Model>())
            };
            slices.prop_map(in_cell)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_written_is_found_by_lookup_and_cursor((name, model) in any_pack(), cell: u32, window in 1..300_000_usize) {
        let disk = empty_disk();
        let (published, _) = write(&disk, name, &model);
        prop_assert_eq!(published.slices, model.len() as u64);
        is_all_there(&disk, name, &model);
        let pack = open(&disk, name).unwrap();
        cursor_is_as_written(&pack, &model, Cell::ALL, window);
        cursor_is_as_written(&pack, &model, Cell::new(cell & 3 << 30, 2).unwrap(), window);
        for other in ["a", "b", "zz", "0", "absent"] {
            let there = model.contains_key(&(CodeHash::of(other.as_bytes()), IndexCode::new(other.as_bytes()).unwrap()));
            prop_assert_eq!(run(pack.lookup(&code(other))).unwrap().is_some(), there);
        }
        prop_assert_eq!(pack.name().kind() == PackKind::Base, name.kind() == PackKind::Base);
    }
}
