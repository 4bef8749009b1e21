use proptest::prelude::*;

use super::*;
use crate::format::names::{SegmentKind, SegmentName};
use crate::ids::Epoch;
use crate::limits::SIDECAR_BLOCK_BYTES;

const BLOCK: u64 = SIDECAR_BLOCK_BYTES as u64;

fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

fn range(first: u64, last: u64) -> EpochRange {
    EpochRange { first: epoch(first), last: epoch(last) }
}

fn built(lengths: &[usize]) -> (Sidecar, Vec<u8>, Vec<Point>) {
    let mut builder = SidecarBuilder::new();
    let (mut bytes, mut begins) = (Vec::new(), Vec::new());
    for (number, &length) in (0u64..).zip(lengths) {
        let record = vec![number as u8 ^ 0x5A; length];
        begins.push(Point { offset: bytes.len() as u64, record: number });
        builder.push(&record, format!("d{number}").as_bytes());
        bytes.extend(record);
    }
    (builder.finish(SegmentKind::Sorted, range(3, 9)), bytes, begins)
}

#[test]
fn version_1_has_these_bytes() {
    let mut builder = SidecarBuilder::new();
    builder.push(b"12345678", b"a");
    builder.push(b"9", "é".as_bytes());
    let encoded = builder.finish(SegmentKind::Optimized, range(0x0102, 0x0304)).encode();
    let mut expected = Vec::new();
    expected.extend(b"LTSEGSUM");
    expected.extend([1, 0, 0, 0, 3, 0, 0, 0]);
    expected.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([9, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([2, 1, 0, 0, 0, 0, 0, 0]);
    expected.extend([4, 3, 0, 0, 0, 0, 0, 0]);
    expected.extend([3, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0, 0, 0, 0]);
    expected.extend(crc32c::crc32c(&expected).to_le_bytes());
    // The check value of CRC32C is that of these nine digits.
    expected.extend(0xE306_9283_u32.to_le_bytes());
    expected.extend([0, 0, 0, 0]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([1, 0, b'a']);
    expected.extend(crc32c::crc32c(&expected[64..]).to_le_bytes());
    assert_eq!(encoded, expected);
}

#[test]
fn the_flags_of_a_segment_that_was_found() {
    let sidecar = SidecarBuilder::new().finish_found(SegmentKind::Unsorted, epoch(5), true);
    let encoded = sidecar.encode();
    assert_eq!((encoded.len(), encoded[13]), (68, 3));
    let header = *Sidecar::decode(&encoded).unwrap().header();
    assert!(header.inferred && header.torn && header.epochs == range(5, 5));
}

#[test]
fn it_belongs_to_a_segment_of_its_kind_count_and_time() {
    let (sidecar, ..) = built(&[10, 10]);
    let name = |kind, time, records| SegmentName { kind, time: epoch(time), records };
    assert!(sidecar.clone().checked_for(name(SegmentKind::Sorted, 3, 2)).is_ok());
    for other in [
        name(SegmentKind::Sorted, 4, 2),
        name(SegmentKind::Sorted, 3, 3),
        name(SegmentKind::Unsorted, 3, 2),
        name(SegmentKind::Optimized, 9, 2),
    ] {
        assert!(sidecar.clone().checked_for(other).is_err(), "{other}");
    }
}

#[test]
fn a_long_docid_is_cut_between_characters() {
    for (docid, kept) in [("x".repeat(127) + "é", 127), ("x".repeat(126) + "é", 128), ("é".repeat(80), 128)]
    {
        let mut builder = SidecarBuilder::new();
        builder.push(b"r", docid.as_bytes());
        let sidecar = builder.finish(SegmentKind::Unsorted, range(1, 1));
        assert_eq!(sidecar.docids().collect::<Vec<_>>(), [&docid.as_bytes()[..kept]]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn it_says_what_the_segment_is(
        lengths in proptest::collection::vec(prop_oneof![1usize..200, Just(65_536), 60_000usize..200_000], 0..12),
        bytes_max in prop_oneof![0u64..1000, 0u64..500_000],
    ) {
        let (sidecar, bytes, begins) = built(&lengths);
        let sidecar = {
            let decoded = Sidecar::decode(&sidecar.encode()).unwrap();
            prop_assert_eq!(&decoded, &sidecar);
            decoded
        };
        prop_assert_eq!(sidecar.header().bytes, bytes.len() as u64);
        prop_assert_eq!(sidecar.header().records, lengths.len() as u64);
        for (number, block) in (0..).zip(bytes.chunks(SIDECAR_BLOCK_BYTES)) {
            prop_assert!(sidecar.verify_block(number, block));
            prop_assert!(!sidecar.verify_block(number, &block[1..]));
            let mut flipped = block.to_vec();
            flipped[block.len() / 2] ^= 0x10;
            prop_assert!(!sidecar.verify_block(number, &flipped));
        }
        // The first record of each block.
        let mut expected: Vec<Point> = begins.clone();
        expected.dedup_by_key(|point| point.offset / BLOCK);
        prop_assert_eq!(sidecar.points().collect::<Vec<_>>(), expected.clone());
        let docids: Vec<_> = expected.iter().map(|point| format!("d{}", point.record).into_bytes()).collect();
        prop_assert_eq!(sidecar.docids().collect::<Vec<_>>(), docids);
        let end = Point { offset: bytes.len() as u64, record: lengths.len() as u64 };
        let whole = |point: Point| begins.contains(&point) || point == end;
        for &point in &expected {
            prop_assert_eq!(sidecar.point_at(point.offset), Some(point));
            let cut = sidecar.cut_after(point, bytes_max);
            prop_assert!(whole(cut) && cut.record > point.record);
            let within = |other: &&Point| other.offset > point.offset && other.offset - point.offset <= bytes_max;
            let best = expected.iter().chain([&end]).rfind(within);
            let least = expected.iter().chain([&end]).find(|other| other.offset > point.offset);
            prop_assert_eq!(Some(&cut), best.or(least));
        }
        prop_assert_eq!(sidecar.point_at(end.offset), Some(end));
        prop_assert_eq!(sidecar.cut_after(end, bytes_max), end);
        prop_assert_eq!(sidecar.point_at(end.offset + 1), None);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), magic: bool) {
        if magic && bytes.len() >= 64 {
            // Behind the checksums, where random bytes rarely come.
            bytes[..8].copy_from_slice(b"LTSEGSUM");
            let (kind, flags) = (bytes[12] % 4, bytes[13] % 4);
            bytes[8..16].copy_from_slice(&[1, 0, 0, 0, kind, flags, 0, 0]);
            for at in [16, 24, 32, 40, 48] {
                let high = if bytes[at + 7] < 250 { 0 } else { 255 };
                bytes[at + 1..at + 8].fill(high);
            }
            let checksum = crc32c::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
            let end = bytes.len().max(68) - 4;
            bytes.resize(end + 4, 0);
            let checksum = crc32c::crc32c(&bytes[64..end]);
            bytes[end..].copy_from_slice(&checksum.to_le_bytes());
        }
        drop(Sidecar::decode(&bytes));
    }
}
