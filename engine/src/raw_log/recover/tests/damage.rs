//! Damage to what was complete, and errors of the drive.

use crate::testing::store;
use std::io::ErrorKind;

use super::*;
use crate::error::{Error, Verb};
use crate::format::raw::{FRAME_HEADER_BYTES, FrameHeader, HEADER_BYTES, SEAL_OFFSET};
use crate::raw_log::recover::verify::verify;
use crate::raw_log::test_support::{Cut, epoch, raw_disk};

#[test]
fn a_sealed_segment_with_damage_is_left_alone_and_what_it_hides_is_not_called_lost() {
    // Shard 0 is sealed and damaged, shard 1 still open; position 9 is missing in both.
    let sealed = small(11, 0).frame(0, 2).frame(4, 2).frame(6, 1).sealed(12);
    let mut bytes = sealed.full(0);
    bytes[sealed.offsets[1] as usize + 40] ^= 4;
    let disk = raw_disk();
    put(&disk, "11-0-0.rawlog", &bytes);
    put_segment(&disk, &small(11, 1).frame(2, 2).frame(7, 2).frame(10, 2));
    let start = recovered(&disk);
    assert_eq!(disk.contents()[&layout().live(sealed.name())], bytes);
    let damaged = &start.report().damaged;
    assert_eq!(damaged.iter().map(|damage| damage.offset).collect::<Vec<_>>(), [sealed.offsets[1]]);
    assert!(lost(&disk, 11).unwrap().starts_with("9 1\nend "));
    let view = run(LiveView::look(&store(&disk, &layout()), Transfer::Cached)).unwrap();
    assert!(view.is_complete(epoch(11)));
}

#[test]
fn what_an_earlier_life_left_in_the_padding_of_whole_frames_goes() {
    for block_bytes in [8, 4096] {
        // Both were written up to somewhere in their padding when the machine ended.
        let segment = SegmentBytes::new(11, 0, 0, block_bytes).file_bytes(20_480);
        let segment = segment.frame_of(0, 1, 1).frame_of(1, 1, 2);
        let mut bytes = segment.full(0xee);
        for pair in segment.offsets.windows(2) {
            let [begin, end] = [pair[0] as usize, pair[1] as usize];
            let header = FrameHeader::decode(&bytes[begin..], u64::MAX).unwrap();
            bytes[begin + FRAME_HEADER_BYTES + header.payload_bytes as usize..end].fill(0xee);
        }
        assert!(!bytes.starts_with(&segment.bytes), "there is padding");
        let disk = raw_disk();
        put(&disk, "11-0-0.rawlog", &bytes);
        recovered(&disk);
        assert_eq!(delivered(&disk)[&11], [0, 1]);
        let report = run(verify(&store(&disk, &layout()))).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}

#[test]
fn damage_at_the_end_of_a_sealed_segment_hides_everything_behind() {
    let sealed = small(11, 0).frame(0, 2).frame(2, 2).sealed(9);
    let mut bytes = sealed.full(0);
    bytes[sealed.offsets[1] as usize + 40] ^= 4;
    let disk = raw_disk();
    put(&disk, "11-0-0.rawlog", &bytes);
    let start = recovered(&disk);
    assert_eq!((start.report().damaged.len(), start.report().lost.len()), (1, 0));
    assert_eq!(lost(&disk, 11).as_deref(), Some("end 0\n"));
}

#[test]
fn a_damaged_seal_is_written_again_without_cutting_anything() {
    let segment = small(11, 0).frame(0, 2).frame(2, 2).frame(4, 1).sealed(5);
    let mut bytes = segment.full(0);
    bytes[SEAL_OFFSET as usize + 30] ^= 1;
    let disk = raw_disk();
    put(&disk, "11-0-0.rawlog", &bytes);
    let start = recovered(&disk);
    assert_eq!(
        (start.report().damaged.len(), start.report().records, start.report().lost_records()),
        (1, 5, 0)
    );
    assert_eq!(delivered(&disk)[&11], [0, 1, 2, 3, 4]);
    assert_eq!(disk.contents()[&layout().live(segment.name())][8192..], bytes[8192..]);

    // With a damaged frame besides: that is damage, not an end.
    bytes[segment.offsets[1] as usize + 40] ^= 1;
    let disk = raw_disk();
    put(&disk, "11-0-0.rawlog", &bytes);
    let start = recovered(&disk);
    assert_eq!(
        (start.report().records, start.report().lost_records(), start.report().dropped_frames),
        (3, 0, 0)
    );
    let view = run(LiveView::look(&store(&disk, &layout()), Transfer::Cached)).unwrap();
    let range = position(11, 0)..position(12, 0);
    let mut scan = run(EpochScan::open(&disk, &view.epochs[&epoch(11)], range, Transfer::Cached)).unwrap();
    assert_eq!(run(scan.next_frame()).unwrap().unwrap().records, 2);
    assert!(
        matches!(run(scan.next_frame()), Err(Error::Corrupt(damage)) if damage.offset == segment.offsets[1])
    );
}

#[test]
fn damaged_headers_are_kept_and_told() {
    let disk = raw_disk();
    let mut bytes = small(11, 0).frame(0, 2).sealed(2).full(0);
    bytes[3] ^= 1;
    put(&disk, "11-0-0.rawlog", &bytes);
    put(&disk, "ready-1.rawlog", &bytes);
    let files = disk.contents();
    let start = recovered(&disk);
    assert_eq!(start.report().damaged.len(), 2);
    assert!(start.ready().is_empty());
    for (path, bytes) in files {
        assert_eq!(disk.contents()[&path], bytes);
    }
}

#[test]
fn a_segment_of_a_later_version_stops_the_start() {
    for name in ["11-0-0.rawlog", "ready-1.rawlog"] {
        let mut bytes = small(11, 0).full(0);
        bytes[8] = 3;
        let checksum = crc32c::crc32c(&bytes[..64]);
        bytes[64..68].copy_from_slice(&checksum.to_le_bytes());
        assert!(bytes.len() > HEADER_BYTES);
        let disk = raw_disk();
        put(&disk, name, &bytes);
        put(&disk, "12-0-0.rawlog", &small(12, 0).full(0));
        let files = disk.contents();
        let error = try_recover(&disk).unwrap_err().to_string();
        assert!(error.contains("version 3") && error.contains(name), "{error}");
        assert_eq!(disk.contents(), files, "nothing was changed");
    }
}

#[test]
fn two_files_of_one_segment_are_both_kept() {
    let disk = raw_disk();
    let segment = small(11, 0).frame(0, 2).sealed(2);
    put_segment(&disk, &segment);
    put(&disk, "ready-1.rawlog", &segment.full(0));
    let start = recovered(&disk);
    assert_eq!((start.report().damaged.len(), start.report().renamed), (1, 0));
    assert_eq!(names(&disk), ["11-0-0.rawlog", "11.lost", "ready-1.rawlog"]);
    assert_eq!(delivered(&disk)[&11], [0, 1]);
}

/// An error while looking for what only the page cache has does no harm: it is told, or what could not be read was written.
fn met_by_restoring(start: &Recovered) -> bool {
    !start.report().unrestored.is_empty() || start.report().restored_bytes > 0
}

#[test]
fn an_error_at_any_call_ends_recovery_and_the_next_one_succeeds() {
    let expected = crashed();
    recovered(&expected);
    let calls = expected.calls();
    for call in 0..calls {
        let disk = crashed();
        disk.fail_at(call, if call % 3 == 0 { ErrorKind::StorageFull } else { ErrorKind::Other });
        match try_recover(&disk) {
            Err(error) => assert!(matches!(error, Error::Disk(_)), "{error}"),
            Ok(start) => assert!(met_by_restoring(&start), "no error may be passed over: {call}"),
        }
        disk.restart(if call % 2 == 0 { Cut::Power } else { Cut::Kill });
        recovered(&disk);
        assert_eq!(disk.contents(), expected.contents(), "call {call}");
    }
}

#[test]
fn while_reading_fails_nothing_is_changed() {
    let untouched = crashed();
    let _ = run(crate::io::disk::Disk::remove_file(&untouched, &layout().raw_live().join(".tmp-11.lost")));
    let mut reads = 0;
    for call in 0.. {
        let disk = crashed();
        disk.fail_at(call, ErrorKind::Other);
        let error = match try_recover(&disk) {
            Err(Error::Disk(error)) => error,
            Ok(start) if met_by_restoring(&start) => continue,
            _ => break,
        };
        if error.verb == Verb::Write {
            break;
        }
        if error.verb == Verb::Read {
            reads += 1;
            assert_eq!(disk.contents(), untouched.contents(), "call {call}");
        }
    }
    assert!(reads > 10, "{reads}");
}

#[test]
fn an_epoch_with_more_records_than_positions_is_reported() {
    let disk = raw_disk();
    put_segment(&disk, &small(10, 0).frame(0, 6).sealed(6));
    put_segment(&disk, &small(10, 1).frame(1, 5).sealed(6));
    let damaged = recovered(&disk).report().damaged.clone();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert!(damaged[0].what.contains("hold 11 records"), "{damaged:?}");
}

#[test]
fn a_damaged_lost_file_is_reported_and_stays() {
    let disk = raw_disk();
    put_segment(&disk, &small(11, 0).frame(0, 2).sealed(3));
    // Left open, so that recovery has to look at it.
    put_segment(&disk, &small(12, 0).frame(0, 2));
    for millis in [11, 12] {
        put(&disk, &format!("{millis}.lost"), b"1 1\nend 5\n");
    }
    for _ in 0..2 {
        let report = recovered(&disk).report().clone();
        let named: Vec<_> = report.damaged.iter().map(|damage| damage.path.clone()).collect();
        assert_eq!(named, [layout().raw_live().join("11.lost"), layout().raw_live().join("12.lost")]);
        assert_eq!(lost(&disk, 11).as_deref(), Some("1 1\nend 5\n"));
        assert_eq!(lost(&disk, 12).as_deref(), Some("1 1\nend 5\n"), "nobody knows what it named");
    }
}
