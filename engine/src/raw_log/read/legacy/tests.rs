use std::path::PathBuf;

use super::*;
use crate::raw_log::read::frame::Record;
use crate::raw_log::test_support::{LegacyBytes, epoch, position};
use crate::testing::{MemDisk, MemFile, run};

const LIVE_ONLY: &[u8] =
    include_bytes!("../../../../../tests/golden/tree/01-live-only/raw/live/1795343512642.raw");
const TORN: &[u8] =
    include_bytes!("../../../../../tests/golden/tree/30-torn-tail-last-raw/raw/live/1795343929823.raw");

fn scan_of(bytes: &[u8]) -> LegacyScan<MemFile> {
    let disk = MemDisk::new();
    let path = PathBuf::from("/raw/live/7.raw");
    disk.put(&path, bytes);
    run(LegacyScan::open(&disk, &path, epoch(7), Transfer::Cached)).unwrap()
}

/// What `f` makes of each record up to the end, and the end.
fn read<T>(bytes: &[u8], mut f: impl FnMut(Record<'_>) -> T) -> (Vec<T>, ScanEnd) {
    let mut scan = scan_of(bytes);
    let mut out = Vec::new();
    while run(scan.advance()).unwrap() {
        let frame = scan.frame().unwrap();
        out.extend(frame.records().map(|record| f(record.unwrap())));
    }
    (out, scan.end().unwrap())
}

fn some() -> LegacyBytes {
    LegacyBytes::new().record(b"a", 100).record(b"b", 101).record(b"", 102).record(b"d", 103)
}

#[test]
fn reads_what_the_original_wrote() {
    let (records, end) = read(LIVE_ONLY, |record| {
        (
            record.view.index_code.unwrap().to_vec(),
            record.time.0,
            record.position.ordinal(),
            record.bytes.len(),
        )
    });
    assert_eq!(end, ScanEnd { offset: LIVE_ONLY.len() as u64, reason: EndReason::Complete });
    let count = |code: &[u8]| records.iter().filter(|(index, ..)| index == code).count();
    // As many as the original then dealt into its unsorted segments (and one without docid or content).
    assert_eq!((count(b"big"), count(b"idx1"), count(b"idx2"), count(b"idx3")), (1, 25, 19, 1));
    assert!(records.iter().enumerate().all(|(index, record)| record.2 == index as u32));
    assert!(records.iter().all(|record| (1_795_343_512_642..1_795_343_547_989).contains(&record.1)));
    assert_eq!(records.iter().map(|record| record.3).sum::<usize>(), LIVE_ONLY.len());
}

#[test]
fn a_torn_tail_of_the_original_ends_after_its_whole_records() {
    let (docids, end) = read(TORN, |record| record.view.docid.unwrap().to_vec());
    assert_eq!(docids, [b"d0", b"d1", b"d2", b"d3"]);
    assert_eq!(end.reason, EndReason::Torn);
    assert!(end.offset < TORN.len() as u64);
}

#[test]
fn torn_at_any_byte_with_anything_behind_it_ends_after_whole_records() {
    let segment = some();
    for len in 0..=segment.bytes.len() {
        let whole = segment.offsets.iter().filter(|&&end| end <= len).count() - 1;
        let (records, end) = read(&segment.bytes[..len], |record| record.position);
        assert_eq!((records.len(), end.offset), (whole, segment.offsets[whole] as u64), "cut at {len}");
        let reason = if len == segment.offsets[whole] { EndReason::Complete } else { EndReason::Torn };
        assert_eq!(end.reason, reason);
        // A length that is huge or negative.
        for length in [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0x80, 0, 0, 0]] {
            let mut bytes = segment.bytes[..segment.offsets[whole]].to_vec();
            bytes.extend_from_slice(&[0x0b, 0, 3]);
            bytes.extend_from_slice(&length);
            bytes.resize(bytes.len() + 5000, b'x');
            let (records, end) = read(&bytes, |record| record.position);
            assert_eq!((records.len(), end.offset), (whole, segment.offsets[whole] as u64));
        }
    }
}

#[test]
fn a_zero_tail_holds_no_records() {
    let segment = some();
    let end = *segment.offsets.last().unwrap();
    for zeros in [1, 2, 4096, 3 << 20] {
        let mut bytes = segment.bytes.clone();
        bytes.resize(end + zeros, 0);
        let (records, found) = read(&bytes, |record| record.position);
        assert_eq!(records.len(), 4);
        assert_eq!(found, ScanEnd { offset: end as u64, reason: EndReason::Zero });
    }
}

#[test]
fn a_record_whose_last_page_was_lost_is_not_delivered_with_zeros_in_it() {
    let long = vec![b'l'; 9000];
    let whole = LegacyBytes::new().record(b"a", 1).record(&long, 2);
    // The docid reaches far into the third page; with that page zero, what follows it reads as the record's end.
    let mut lost = whole.bytes.clone();
    lost[8192..].fill(0);
    for tail in [0, 1, 5000] {
        let mut bytes = lost.clone();
        bytes.resize(bytes.len() + tail, 0);
        let (records, end) = read(&bytes, |record| record.view.docid.unwrap().to_vec());
        assert_eq!(records, [b"a"], "{tail}");
        assert_eq!(end.offset, whole.offsets[1] as u64);
    }
    let (records, _) = read(&whole.bytes, |record| record.position);
    assert_eq!(records.len(), 2);
}

#[test]
fn long_and_many_records_are_delivered_and_any_point_can_be_gone_on_from() {
    let mut segment = LegacyBytes::new();
    for record in 0..600u32 {
        let docid = vec![b'x'; if record % 300 == 7 { 2 << 20 } else { 1500 }];
        segment = segment.record(&docid, i64::from(record));
    }
    let mut scan = scan_of(&segment.bytes);
    let mut points = vec![scan.point()];
    let mut next = 0;
    while run(scan.advance()).unwrap() {
        let frame = scan.frame().unwrap();
        assert_eq!(frame.first, position(7, next));
        for record in frame.records() {
            assert_eq!(record.unwrap().time.0, u64::from(next));
            next += 1;
        }
        points.push(scan.point());
    }
    assert_eq!(next, 600);
    assert!(points.len() > 5);
    for point in points {
        assert_eq!(segment.offsets[point.least.ordinal() as usize] as u64, point.offset);
        scan.seek(point).unwrap();
        while run(scan.advance()).unwrap() {}
        assert_eq!(scan.point().least, position(7, 600));
    }
}

#[test]
fn arbitrary_bytes_behind_records_never_panic() {
    proptest::proptest!(proptest::prelude::ProptestConfig::with_cases(64), |(junk: Vec<u8>)| {
        let mut bytes = some().bytes;
        bytes.extend_from_slice(&junk);
        let (records, end) = read(&bytes, |record| record.position);
        proptest::prop_assert!(records.len() >= 4);
        proptest::prop_assert!(end.offset <= bytes.len() as u64);
    });
}
