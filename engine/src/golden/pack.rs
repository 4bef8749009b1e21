//! Packs: a recent one, the base of a cell, and one without a slice; and the hashes by which they are ordered.

use std::path::Path;

use logtank_wire::record::RecordWriter;

use super::files::{names, read, same};
use crate::format::pack::{Cell, CodeHash, PackName, SliceKind};
use crate::ids::{Epoch, IndexCode, Position};
use crate::packs::cursor::Cursor;
use crate::packs::open_pack::OpenPack;
use crate::packs::verify::verify_pack;
use crate::packs::writer::{NewSlice, PackWriter};
use crate::testing::{MemDisk, run};
use crate::time::WallMillis;

const FOLDER: &str = "/data/packs";
const RECENT: &str = "1795913298397.0-1795913300983.7_0_all.recent";
const BASE: &str = "0.0-1795913325821.0_3_0.base";
const EMPTY: &str = "1795913300983.7-1795913303000.0_0_all.recent";

/// A slice of a golden pack: its index, kind, own first position and "dropped", and how many records of which length.
type Slice = (&'static str, SliceKind, Option<u64>, Option<u64>, usize, usize);

/// The golden packs and their slices, in order.
fn packs() -> [(&'static str, &'static str, Vec<Slice>); 3] {
    use SliceKind::{Base, Sorted, Unsorted};
    let recent = vec![
        ("index-1", Unsorted, None, None, 3, 10),
        ("index-2", Sorted, Some(1_795_913_299_000), None, 2, 100),
        ("m", Unsorted, None, None, 1, 0),
    ];
    // The first bit of their hashes is 0. The second is longer than a block.
    let base = vec![
        ("index-1", Base, None, None, 2, 10),
        ("index-10", Base, Some(1_795_913_000_000), Some(1_795_913_100_000), 24, 3_000),
        ("index-11", Base, None, Some(0), 0, 0),
        ("index-16", Sorted, Some(1_795_913_200_000), None, 2, 20),
    ];
    let in_order = |mut slices: Vec<Slice>| {
        slices.sort_by_key(|(code, ..)| (CodeHash::of(code.as_bytes()), *code));
        slices
    };
    [("recent", RECENT, in_order(recent)), ("base", BASE, in_order(base)), ("empty", EMPTY, Vec::new())]
}

fn name(text: &str) -> PackName {
    PackName::parse(text).unwrap()
}

fn at(epoch: u64) -> Position {
    Position::new(Epoch::new(epoch).unwrap(), 0)
}

fn records(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    let record = |number: usize| {
        let mut record = Vec::new();
        let mut writer = RecordWriter::begin(&mut record);
        writer.timestamp_ms(1_795_913_298_397);
        writer.docid(format!("d-{number:02}").as_bytes());
        writer.deleted(false);
        let text = vec![b'x'; bytes];
        writer.fields([(&b"text"[..], &text[..])].into_iter());
        writer.finish();
        record
    };
    (0..count).map(record).collect()
}

fn written(pack: PackName, slices: &[Slice]) -> Vec<u8> {
    let disk = MemDisk::new();
    disk.put_folder(FOLDER);
    run(async {
        let now = WallMillis(1_795_913_326_000);
        let mut writer = PackWriter::create(&disk, Path::new(FOLDER), pack, now).await.unwrap();
        for (code, kind, first, dropped, count, bytes) in slices {
            let code = IndexCode::new(code.as_bytes()).unwrap();
            let first = first.map_or(pack.range().first(), at);
            let dropped = dropped.map_or(pack.range().end(), at);
            let records = records(*count, *bytes);
            let slice = NewSlice { code: &code, kind: *kind, first, dropped };
            writer.push(slice, records.iter().map(Vec::as_slice)).await.unwrap();
        }
        writer.publish().await.unwrap();
    });
    disk.get(Path::new(FOLDER).join(pack.to_string())).unwrap()
}

fn on_disk(pack: &str, bytes: &[u8]) -> MemDisk {
    let disk = MemDisk::new();
    disk.put(Path::new(FOLDER).join(pack), bytes);
    disk
}

#[test]
fn packs_are_written_as_in_version_1() {
    for (golden, pack, slices) in packs() {
        same(&format!("pack/v1/{golden}"), &written(name(pack), &slices));
    }
}

#[test]
fn packs_say_what_their_slices_are() {
    for (golden, pack, slices) in packs() {
        let (pack, disk) = (name(pack), on_disk(pack, &read(format!("pack/v1/{golden}"))));
        let open = run(OpenPack::open(&disk, Path::new(FOLDER), pack)).unwrap();
        let mut cursor = Cursor::new(&open, Cell::ALL, 4_096);
        for (code, kind, first, dropped, count, bytes) in slices {
            let slice = run(cursor.advance()).unwrap().unwrap();
            let (info, expected) = (*slice.info(), records(count, bytes));
            assert_eq!((slice.code().as_str(), info.kind), (code, kind), "{golden}");
            assert_eq!((info.first, info.end), (first.map_or(pack.range().first(), at), pack.range().end()));
            let of_base = if kind == SliceKind::Base { pack.range().end() } else { Position::ZERO };
            assert_eq!(info.dropped, dropped.map_or(of_base, at), "{golden}: {code}");
            assert_eq!(info.records, expected.len() as u64);
            assert!(*run(slice.read_raw(0..info.bytes)).unwrap() == expected.concat());
        }
        assert!(run(cursor.advance()).unwrap().is_none());
        assert_eq!(run(verify_pack(&disk, Path::new(FOLDER), pack)).unwrap().findings, [], "{golden}");
    }
}

#[test]
fn the_hashes_of_codes_stay_what_they_are() {
    let codes = ["m", "A-b_c.9", "0", "_", "-"].map(str::to_owned);
    let codes =
        codes.into_iter().chain((0..40).map(|number| format!("index-{number}"))).chain(["e".repeat(128)]);
    let line = |code: String| format!("{:08x} {code}\n", CodeHash::of(code.as_bytes()).value());
    same("pack/v1/hashes", codes.map(line).collect::<String>().as_bytes());
}

/// A damaged pack: its name, what was done to the good recent one, and what is said of it.
type Damaged = (&'static str, fn(&mut Vec<u8>), &'static str);

fn mend_head(bytes: &mut [u8]) {
    let sum = crc32c::crc32c(&bytes[..64]);
    bytes[64..68].copy_from_slice(&sum.to_le_bytes());
}

const DAMAGED: [Damaged; 13] = [
    ("empty", Vec::clear, "byte 0: the file is shorter than a head and a foot"),
    (
        "cut",
        |bytes| bytes.truncate(4_500),
        "byte 4436: the file does not end with a foot: it is cut off, or longer than it was",
    ),
    (
        "longer",
        |bytes| bytes.push(0),
        ": the file does not end with a foot: it is cut off, or longer than it was",
    ),
    ("magic", |bytes| bytes[0] ^= 1, "byte 0: the file does not begin as a pack does"),
    ("head-checksum", |bytes| bytes[16] ^= 1, "byte 0: the checksum of the head does not match"),
    ("padding", |bytes| bytes[4_000] = 1, "byte 68: what follows the head is not zero"),
    (
        "version",
        |bytes| {
            bytes[8] = 2;
            mend_head(bytes);
        },
        "byte 8: it has a version that this program can't read: version 1 is read",
    ),
    (
        "generation",
        |bytes| {
            bytes[32] = 1;
            mend_head(bytes);
        },
        "byte 0: the head is that of the pack 1795913298397.0-1795913300983.7_1_all.recent",
    ),
    (
        "created",
        |bytes| {
            bytes[48] ^= 1;
            mend_head(bytes);
        },
        "byte 0: head and foot are not of one pack",
    ),
    ("label", |bytes| bytes[4_096 + 3] ^= 1, "byte 4096: the checksum of the slice's label does not match"),
    ("data", |bytes| bytes[4_096 + 30] ^= 1, "byte 4119: the checksum of the slice's records does not match"),
    (
        "directory",
        |bytes| {
            let end = bytes.len() - 64 - 30;
            bytes[end] ^= 1;
        },
        "the directory block's checksum does not match",
    ),
    (
        "foot",
        |bytes| {
            let end = bytes.len() - 20;
            bytes[end] ^= 1;
        },
        ": the checksum of the foot does not match",
    ),
];

#[test]
fn each_damaged_pack_is_found_with_its_reason() {
    let good = read("pack/v1/recent");
    let mut known = Vec::new();
    for (golden, damage, what) in DAMAGED {
        let mut bytes = good.clone();
        damage(&mut bytes);
        same(&format!("pack/damaged/{golden}"), &bytes);
        let disk = on_disk(RECENT, &read(format!("pack/damaged/{golden}")));
        let findings = run(verify_pack(&disk, Path::new(FOLDER), name(RECENT))).unwrap().findings;
        let first = format!("byte {}: {}", findings[0].offset, findings[0].what);
        assert!(first.contains(what), "{golden}: {first}");
        known.push(golden.to_owned());
    }
    known.sort_unstable();
    assert_eq!(names("pack/damaged"), known);
}
