use std::path::PathBuf;

use super::*;
use crate::error::Error;
use crate::format::raw::{FRAME_HEADER_BYTES, FRAMES_OFFSET, SEAL_OFFSET};
use crate::raw_log::test_support::{SegmentBytes, position};
use crate::testing::{MemDisk, MemFile, run};

fn path() -> PathBuf {
    PathBuf::from("/raw/live/7-0-0.rawlog")
}

fn scan_of(bytes: &[u8]) -> (MemDisk, SegmentScan<MemFile>) {
    let disk = MemDisk::new();
    disk.put(path(), bytes);
    let scan = run(SegmentScan::open(&disk, &path(), Transfer::Cached)).unwrap();
    (disk, scan)
}

/// First ordinals and record counts of all frames up to the end.
fn frames(scan: &mut SegmentScan<MemFile>) -> Vec<(u32, u32)> {
    let mut frames = Vec::new();
    while let Some(frame) = run(scan.next_frame()).unwrap() {
        assert_eq!(frame.records().map(Result::unwrap).count(), frame.records as usize);
        frames.push((frame.first.ordinal(), frame.records));
    }
    frames
}

fn corruption(scan: &mut SegmentScan<MemFile>) -> Corruption {
    match run(scan.advance()).unwrap_err() {
        Error::Corrupt(corruption) => corruption,
        error @ (Error::Disk(_) | Error::Unsettled(_)) => panic!("{error}"),
    }
}

fn three(block_bytes: u32) -> SegmentBytes {
    SegmentBytes::new(7, 0, 0, block_bytes).frame(0, 2).frame(2, 1).frame(9, 3)
}

#[test]
fn delivers_frames_records_times_and_places() {
    for block_bytes in [8, 4096] {
        let segment = three(block_bytes).sealed(12);
        let (_, mut scan) = scan_of(&segment.full(0xee));
        assert_eq!(scan.header(), Some(&segment.header));
        let frame = run(scan.next_frame()).unwrap().unwrap();
        assert_eq!(
            (frame.offset, frame.payload_offset),
            (FRAMES_OFFSET, FRAMES_OFFSET + FRAME_HEADER_BYTES as u64)
        );
        let records: Vec<_> = frame.records().map(Result::unwrap).collect();
        assert_eq!(records[1].position, position(7, 1));
        assert_eq!(records[1].view.docid, Some(&b"7/1"[..]));
        assert_eq!(records[1].time.0, 7);
        assert_eq!([records[0].bytes, records[1].bytes].concat(), frame.payload);
        assert_eq!(frames(&mut scan), [(2, 1), (9, 3)]);
        let end = ScanEnd { offset: segment.end(), reason: EndReason::Complete };
        assert_eq!(scan.end(), Some(end));
        assert!(!run(scan.advance()).unwrap(), "the end stays the end");
    }
}

#[test]
fn frames_longer_than_a_chunk_are_read_whole() {
    let segment = SegmentBytes::new(7, 0, 0, 4096)
        .file_bytes(8 << 20)
        .frame(0, 1)
        .frame_of(1, 1, 3 << 20)
        .frame(2, 1)
        .frame_of(3, 2, 700_000)
        .frame(5, 1);
    let (_, mut scan) = scan_of(&segment.sealed(6).full(0));
    assert_eq!(frames(&mut scan), [(0, 1), (1, 1), (2, 1), (3, 2), (5, 1)]);
}

#[test]
fn an_open_segment_torn_at_any_byte_ends_after_its_whole_frames() {
    for block_bytes in [8, 4096] {
        let segment = three(block_bytes);
        let ends: Vec<_> =
            (1..=3).map(|frame| (segment.offsets[frame - 1] as usize, unpadded(&segment, frame))).collect();
        for len in ends.into_iter().flat_map(|(begin, end)| begin..=end) {
            let whole = segment.offsets.iter().skip(1).filter(|&&end| whole_at(&segment, end) <= len).count();
            for rest in [0, 0xee] {
                let mut bytes = segment.bytes[..len].to_vec();
                bytes.resize(len.next_multiple_of(4096) + 4096, rest);
                let (_, mut scan) = scan_of(&bytes);
                // What is missing may happen to be what it is filled with.
                let seen = frames(&mut scan).len();
                assert!(
                    seen == whole || bytes.starts_with(&segment.bytes[..unpadded(&segment, seen)]),
                    "{len}"
                );
                assert_eq!(scan.end().unwrap().offset, segment.offsets[seen]);
            }
            let (_, mut scan) = scan_of(&segment.bytes[..len]);
            assert_eq!(frames(&mut scan).len(), whole, "cut at {len}");
        }
    }
}

/// Length of a file that has all of the frame whose padded end is `end`.
fn whole_at(segment: &SegmentBytes, end: u64) -> usize {
    let index = segment.offsets.iter().position(|&offset| offset == end).unwrap();
    unpadded(segment, index)
}

/// Where the frame before the one of this number ends, without its padding.
fn unpadded(segment: &SegmentBytes, index: usize) -> usize {
    let Some(index) = index.checked_sub(1) else { return FRAMES_OFFSET as usize };
    let at = segment.offsets[index] as usize;
    let payload = u32::from_le_bytes(segment.bytes[at + 4..at + 8].try_into().unwrap());
    at + FRAME_HEADER_BYTES + payload as usize
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_costs_its_frame_and_names_its_place() {
    let segment = three(8).sealed(12);
    let all = [(0, 2), (2, 1), (9, 3)];
    for (index, &offset) in segment.offsets[..3].iter().enumerate() {
        for byte in offset as usize..unpadded(&segment, index + 1) {
            let mut bytes = segment.full(0);
            bytes[byte] ^= 1 << (byte % 8);
            let (_, mut scan) = scan_of(&bytes);
            let mut seen = Vec::new();
            for _ in 0..index {
                let frame = run(scan.next_frame()).unwrap().unwrap();
                seen.push((frame.first.ordinal(), frame.records));
            }
            let found = corruption(&mut scan);
            assert_eq!((found.path.as_path(), found.offset), (path().as_path(), offset), "byte {byte}");
            assert_eq!(corruption(&mut scan), found, "it stays where it is");
            assert_eq!(run(scan.skip_damage()).unwrap(), index < 2);
            seen.extend(frames(&mut scan));
            let expected: Vec<_> =
                all.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, f)| *f).collect();
            assert_eq!(seen, expected, "byte {byte}");
        }
    }
}

#[test]
fn a_sealed_segment_that_is_cut_or_miscounted_is_corrupt() {
    let segment = three(4096).sealed(12);
    for len in (FRAMES_OFFSET as usize..unpadded(&segment, 3)).step_by(511) {
        let (_, mut scan) = scan_of(&segment.bytes[..len]);
        let found = loop {
            match run(scan.advance()) {
                Ok(true) => {}
                Ok(false) => panic!("cut at {len}: taken for the end"),
                Err(Error::Corrupt(found)) => break found,
                Err(error @ (Error::Disk(_) | Error::Unsettled(_))) => panic!("{error}"),
            }
        };
        assert!(found.offset <= len.next_multiple_of(4096) as u64);
        assert!(!run(scan.skip_damage()).unwrap());
        assert!(!run(scan.advance()).unwrap());
    }
    // A seal that vouches for more than is there.
    let more = three(8).frame(20, 1).sealed(21);
    let mut bytes = more.full(0);
    bytes[SEAL_OFFSET as usize..FRAMES_OFFSET as usize].copy_from_slice(
        &three(8).frame(20, 2).sealed(22).bytes[SEAL_OFFSET as usize..FRAMES_OFFSET as usize],
    );
    let (_, mut scan) = scan_of(&bytes);
    let found = loop {
        match run(scan.advance()) {
            Ok(true) => {}
            other => break other.unwrap_err().to_string(),
        }
    };
    assert!(found.contains("corrupt"), "{found}");
}

#[test]
fn what_an_earlier_life_left_is_not_taken_for_frames() {
    // The old segment had more frames, at the same offsets, of an earlier epoch with another salt.
    let old = SegmentBytes::new(6, 0, 0, 8).frame(0, 2).frame(2, 1).frame(9, 3).frame(12, 5).sealed(17);
    let new = three(8);
    let mut bytes = old.full(0);
    bytes[..new.bytes.len()].copy_from_slice(&new.bytes);
    bytes[SEAL_OFFSET as usize..FRAMES_OFFSET as usize].fill(0);
    let (_, mut scan) = scan_of(&bytes);
    assert_eq!(frames(&mut scan), [(0, 2), (2, 1), (9, 3)]);
    assert_eq!(scan.end(), Some(ScanEnd { offset: new.end(), reason: EndReason::Stale }));
    assert!(!run(scan.skip_damage()).unwrap());

    // Even with the same salt and epoch, positions must grow.
    let (_, mut scan) = scan_of(&SegmentBytes::new(7, 0, 0, 8).frame(5, 1).frame(3, 1).full(0));
    assert_eq!(frames(&mut scan), [(5, 1)]);
}

#[test]
fn the_end_of_an_open_segment_tells_why() {
    let reason = |bytes: Vec<u8>| {
        let (_, mut scan) = scan_of(&bytes);
        frames(&mut scan);
        scan.end().unwrap().reason
    };
    let segment = three(8);
    assert_eq!(reason(segment.full(0)), EndReason::Zero);
    assert_eq!(reason(segment.full(0xee)), EndReason::Stale);
    assert_eq!(reason(segment.bytes.clone()), EndReason::Complete);
    let mut torn = segment.frame(20, 1).full(0);
    let last = torn.iter().rposition(|&byte| byte != 0).unwrap();
    torn[last] ^= 1;
    assert_eq!(reason(torn), EndReason::Torn);
}

#[test]
fn a_hole_ends_an_open_segment_and_what_is_behind_it_can_be_found() {
    for block_bytes in [8, 4096] {
        let segment =
            SegmentBytes::new(7, 0, 0, block_bytes).frame(0, 1).hole().frame(4, 2).hole().hole().frame(8, 1);
        let (_, mut scan) = scan_of(&segment.full(0xee));
        assert_eq!(frames(&mut scan), [(0, 1)]);
        let behind = &mut scan;
        assert!(run(behind.skip_damage()).unwrap());
        assert_eq!(frames(behind), [(4, 2)]);
        assert!(run(behind.skip_damage()).unwrap());
        assert_eq!(frames(behind), [(8, 1)]);
        assert!(!run(behind.skip_damage()).unwrap());
    }
}

#[test]
fn looking_behind_the_end_of_a_long_prepared_segment_finds_frames_and_is_not_slow() {
    for block_bytes in [8, 4096] {
        let mut segment = SegmentBytes::new(7, 0, 0, block_bytes).file_bytes(64 << 20).frame(0, 1);
        let zeros = (48 << 20) + 8192;
        segment.bytes.resize(zeros, 0);
        let segment = segment.junk(&[0x4c; 4096]).frame(5, 1);
        let (_, mut scan) = scan_of(&segment.full(0));
        assert_eq!(frames(&mut scan), [(0, 1)]);
        assert!(run(scan.skip_damage()).unwrap());
        assert_eq!(frames(&mut scan), [(5, 1)]);
        assert!(!run(scan.skip_damage()).unwrap());
        // A sealed file that was cut: what its seal says is there is not asked for.
        let (_, mut scan) = scan_of(&segment.sealed(6).full(0)[..16 << 20]);
        assert_eq!(run(scan.next_frame()).unwrap().unwrap().records, 1);
        run(scan.advance()).unwrap_err();
        assert!(!run(scan.skip_damage()).unwrap());
    }
}

#[test]
fn a_scan_goes_on_from_any_point_and_sees_a_segment_grow() {
    let segment = three(8);
    let (disk, mut scan) = scan_of(&segment.full(0));
    let mut points = vec![scan.point()];
    while run(scan.advance()).unwrap() {
        points.push(scan.point());
    }
    for (index, point) in points.iter().enumerate() {
        scan.seek(*point).unwrap();
        assert_eq!(frames(&mut scan), [(0, 2), (2, 1), (9, 3)][index..]);
    }
    let grown = segment.frame(20, 1);
    let file = run(disk.open_write(&path(), Transfer::Cached)).unwrap();
    run(file.write_at(crate::io::buffers::AlignedBuf::copy_of(&grown.full(0)), 0)).0.unwrap();
    assert_eq!(frames(&mut scan), [(20, 1)], "asked again after the end");

    for offset in [0, FRAMES_OFFSET - 8, FRAMES_OFFSET + 1, 1 << 17] {
        scan.seek(ScanPoint { offset, least: position(7, 0) }).unwrap_err();
    }
}

#[test]
fn a_payload_that_is_not_records_is_corrupt_where_it_is() {
    let mut segment = SegmentBytes::new(7, 0, 0, 8).frame(0, 2);
    // A valid checksum over one record where two are announced, and the other way round.
    for announced in [1, 3] {
        let end = unpadded(&segment, 1);
        let frame = &mut segment.bytes[FRAMES_OFFSET as usize..end];
        crate::format::raw::FrameHeader::seal_frame(
            frame,
            segment.header.salt,
            announced,
            position(7, 0),
            crate::time::WallMillis(1),
        );
        let (_, mut scan) = scan_of(&segment.full(0));
        let frame = run(scan.next_frame()).unwrap().unwrap();
        let last = frame.records().last().unwrap().unwrap_err();
        assert!(last.offset > FRAMES_OFFSET && last.path == path(), "{last}");
    }
}

#[test]
fn arbitrary_bytes_never_panic_and_end() {
    use proptest::prelude::*;
    let strategy = (proptest::collection::vec(any::<u8>(), 0..600), 0..3usize, any::<bool>());
    proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64))
        .run(&strategy, |(junk, frames_before, sealed)| {
            let mut segment = SegmentBytes::new(7, 0, 0, 8);
            for frame in 0..frames_before {
                segment = segment.frame(frame as u32, 1);
            }
            segment = segment.junk(&junk);
            let bytes = if sealed { segment.sealed(3).full(0) } else { segment.full(0) };
            let (_, mut scan) = scan_of(&bytes);
            let mut seen = 0;
            for _ in 0..1000 {
                match run(scan.advance()) {
                    Ok(true) => seen += 1,
                    Ok(false) => break,
                    Err(_) => {
                        run(scan.skip_damage()).unwrap();
                    }
                }
            }
            prop_assert_eq!(seen, frames_before);
            Ok(())
        })
        .unwrap();
}
