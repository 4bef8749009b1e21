//! Sidecars of segments of indexes: version 1, before optimized segments had a checksum of their contents and since.

use logtank_wire::record::RecordWriter;

use super::files::{names, read, same};
use crate::format::index::{EpochRange, Point, Sidecar, SidecarBuilder};
use crate::format::names::SegmentKind;
use crate::ids::Epoch;
use crate::limits::SIDECAR_BLOCK_BYTES;

const TIME: u64 = 1_795_343_621_999;
const RECORDS: u64 = 40;

fn range(first: u64, last: u64) -> EpochRange {
    EpochRange { first: Epoch::new(first).unwrap(), last: Epoch::new(last).unwrap() }
}

fn docid(number: u64) -> String {
    format!("d-{number:02}")
}

/// Of an index's segment: two blocks, each record of about 3,000 bytes.
fn record(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = RecordWriter::begin(&mut bytes);
    writer.timestamp_ms(i64::try_from(TIME + number).unwrap());
    writer.docid(docid(number).as_bytes());
    writer.deleted(false);
    let text = "some text ".repeat(300);
    writer.fields([(&b"text"[..], text.as_bytes())].into_iter());
    writer.finish();
    bytes
}

fn filled(mut builder: SidecarBuilder) -> SidecarBuilder {
    (0..RECORDS).for_each(|number| builder.push(&record(number), docid(number).as_bytes()));
    builder
}

const KINDS: [(&str, SegmentKind, u64, u64); 3] = [
    ("unsorted", SegmentKind::Unsorted, TIME, TIME),
    ("sorted", SegmentKind::Sorted, TIME, TIME + 5_000),
    ("optimized", SegmentKind::Optimized, TIME - 9_000, TIME),
];

#[test]
fn sidecars_are_written_as_in_version_1() {
    for (name, kind, first, last) in KINDS {
        let sidecar = filled(SidecarBuilder::of(kind)).finish(kind, range(first, last));
        same(&format!("sidecar/v1/{name}.sum"), &sidecar.encode());
    }
    let kind = SegmentKind::Unsorted;
    let found = filled(SidecarBuilder::of(kind)).finish_found(kind, Epoch::new(TIME).unwrap(), true);
    same("sidecar/v1/found.sum", &found.encode());
}

#[test]
fn sidecars_say_what_their_segments_are() {
    let found = ("found", SegmentKind::Unsorted, TIME, TIME);
    let before = ("optimized-before-contents", SegmentKind::Optimized, TIME - 9_000, TIME);
    let segment: Vec<u8> = (0..RECORDS).flat_map(record).collect();
    let record_bytes = segment.len() as u64 / RECORDS;
    for (name, kind, first, last) in KINDS.into_iter().chain([found, before]) {
        let bytes = read(format!("sidecar/v1/{name}.sum"));
        let sidecar = Sidecar::decode(&bytes).unwrap();
        let header = *sidecar.header();
        assert_eq!((header.kind, header.epochs), (kind, range(first, last)), "{name}");
        assert_eq!((header.records, header.bytes), (RECORDS, segment.len() as u64), "{name}");
        assert_eq!((header.inferred, header.torn), (name == "found", name == "found"));
        let second = (SIDECAR_BLOCK_BYTES as u64).div_ceil(record_bytes);
        let points = [Point::START, Point { offset: second * record_bytes, record: second }];
        assert_eq!(sidecar.points().collect::<Vec<_>>(), points, "{name}");
        let docids = [docid(0).into_bytes(), docid(second).into_bytes()];
        assert!(sidecar.docids().eq(&docids), "{name}");
        for (number, block) in (0..).zip(segment.chunks(SIDECAR_BLOCK_BYTES)) {
            assert!(sidecar.verify_block(number, block), "{name}");
        }
        // Only of an optimized segment, and only since it is written down, is it known what the records say.
        assert_eq!(sidecar.written_anew(&sidecar).is_some(), name == "optimized", "{name}");
        assert_eq!(sidecar.encode(), bytes, "{name}");
    }
}

const HEADER_SUM: usize = 60;

fn mend(bytes: &mut [u8]) {
    let sum = crc32c::crc32c(&bytes[..HEADER_SUM]);
    bytes[HEADER_SUM..HEADER_SUM + 4].copy_from_slice(&sum.to_le_bytes());
}

fn mend_all(bytes: &mut [u8]) {
    mend(bytes);
    let end = bytes.len() - 4;
    let sum = crc32c::crc32c(&bytes[64..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
}

/// A damaged sidecar: its name, what was done to the good one of an optimized segment, and what is said of it.
type Damaged = (&'static str, fn(&mut Vec<u8>), &'static str);

const DAMAGED: [Damaged; 14] = [
    ("empty", Vec::clear, "byte 0: it is too short"),
    ("cut-in-the-header", |bytes| bytes.truncate(63), "byte 63: it is too short"),
    ("cut-in-the-blocks", |bytes| bytes.truncate(90), "byte 90: its length is not what the header says"),
    (
        "cut-in-the-checksum",
        |bytes| bytes.truncate(bytes.len() - 1),
        "byte 111: its length is not what the header says",
    ),
    ("longer", |bytes| bytes.push(0), "byte 113: its length is not what the header says"),
    ("magic", |bytes| bytes[0] ^= 1, "byte 0: it has no magic number"),
    ("header-checksum", |bytes| bytes[16] ^= 1, "byte 60: the header's checksum does not match"),
    ("checksum", |bytes| bytes[64] ^= 1, "byte 108: its checksum does not match"),
    (
        "version",
        |bytes| {
            bytes[8] = 2;
            mend(bytes);
        },
        "byte 8: it has a version that this program can't read",
    ),
    (
        "kind",
        |bytes| {
            bytes[12] = 4;
            mend(bytes);
        },
        "byte 12: the kind is unknown",
    ),
    (
        "flag",
        |bytes| {
            bytes[13] = 4;
            mend(bytes);
        },
        "byte 13: a flag is unknown",
    ),
    (
        "epoch",
        |bytes| {
            bytes[46] = 255;
            mend(bytes);
        },
        "byte 32: an epoch is out of range",
    ),
    (
        "epochs-backwards",
        |bytes| {
            bytes[36] ^= 1;
            mend(bytes);
        },
        "byte 32: the epochs run backwards",
    ),
    (
        "block-entry",
        |bytes| {
            bytes[88] = 0;
            mend_all(bytes);
        },
        "byte 80: a block's entry contradicts the others",
    ),
];

#[test]
fn each_damaged_sidecar_is_refused_with_its_reason() {
    let good = read("sidecar/v1/optimized.sum");
    let mut known = Vec::new();
    for (name, damage, what) in DAMAGED {
        let mut bytes = good.clone();
        damage(&mut bytes);
        same(&format!("sidecar/damaged/{name}.sum"), &bytes);
        let error = Sidecar::decode(&read(format!("sidecar/damaged/{name}.sum"))).unwrap_err();
        assert_eq!(format!("byte {}: {}", error.offset, error.what), what, "{name}");
        known.push(format!("{name}.sum"));
    }
    known.sort_unstable();
    assert_eq!(names("sidecar/damaged"), known);
}
