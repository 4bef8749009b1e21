use std::path::{Path, PathBuf};

use super::*;
use crate::format::names::RawName;
use crate::io::disk::Transfer;
use crate::limits::ORDINAL_BITS;
use crate::raw_log::read::scan::EndReason;
use crate::raw_log::test_support::{LegacyBytes, SegmentBytes, epoch, position};
use crate::testing::{MemDisk, MemFile, run};

fn scan_of(path: &Path, bytes: &[u8]) -> SegmentScan<MemFile> {
    let disk = MemDisk::new();
    disk.put(path, bytes);
    run(SegmentScan::open(&disk, path, Transfer::Cached)).unwrap()
}

fn segment(bytes: &[u8]) -> SegmentScan<MemFile> {
    scan_of(&PathBuf::from("/raw/live/7-0-0.rawlog"), bytes)
}

/// All items in short. More than any of these segments has would be a scan without an end.
fn items(mut items: SegmentItems<MemFile>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(item) = run(items.next()).unwrap() {
        seen.push(match item {
            Item::Frame(frame) => format!("{}+{}", frame.first.ordinal(), frame.records),
            Item::Damage(damage) => format!("damage {}", damage.offset),
            Item::End(end) => format!("{:?} {}", end.reason, end.offset),
        });
        assert!(seen.len() < 100, "{seen:?}");
    }
    assert!(run(items.next()).unwrap().is_none(), "over is over");
    seen
}

#[test]
fn damage_is_one_item_and_the_frames_after_it_follow() {
    let whole = SegmentBytes::new(7, 0, 0, 8).frame(0, 2).frame(2, 1).frame(9, 3).sealed(12);
    let (begin, end) = (&whole.offsets, whole.end());
    for scan in [SegmentScan::strict, SegmentScan::salvaging] {
        let damaged = |frame: usize| {
            let mut bytes = whole.full(0);
            bytes[begin[frame] as usize + 20] ^= 1;
            items(scan(segment(&bytes)))
        };
        let complete = format!("Complete {end}");
        assert_eq!(items(scan(segment(&whole.full(0)))), ["0+2", "2+1", "9+3", &complete]);
        assert_eq!(damaged(0), [&format!("damage {}", begin[0]), "2+1", "9+3", &complete]);
        assert_eq!(damaged(1), ["0+2", &format!("damage {}", begin[1]), "9+3", &complete]);
        assert_eq!(damaged(2), ["0+2", "2+1", &format!("damage {}", begin[2])]);
    }
}

#[test]
fn only_salvaging_goes_on_after_an_end_without_a_seal() {
    let holes = SegmentBytes::new(7, 0, 0, 8).frame(0, 1).hole().frame(4, 2).hole().frame(8, 1);
    let bytes = holes.full(0);
    let (strict, salvaged) = (items(segment(&bytes).strict()), items(segment(&bytes).salvaging()));
    assert_eq!((&strict[0], strict.len()), (&"0+1".to_owned(), 2));
    assert_eq!(strict, salvaged[..2]);
    let frames: Vec<_> = salvaged.iter().filter(|item| item.contains('+')).collect();
    assert_eq!(frames, ["0+1", "4+2", "8+1"]);
    assert_eq!(salvaged.len(), 6, "an end after each: {salvaged:?}");
    assert_eq!(salvaged[5], format!("{:?} {}", EndReason::Zero, holes.end()));
}

#[test]
fn what_nothing_follows_ends_the_items_of_the_originals_too() {
    let name = RawName::Legacy(epoch(8));
    let path = Path::new("/raw/live").join(name.to_string());
    let bytes = LegacyBytes::new().record(b"a", 5).record(b"b", 5).bytes;
    assert_eq!(items(scan_of(&path, &bytes).salvaging()).len(), 2, "a frame and an end");
    for scan in [SegmentScan::strict, SegmentScan::salvaging] {
        // As at the end of a segment of more records than an epoch can number.
        let mut full = scan_of(&path, &bytes);
        let least = position(8, (1 << ORDINAL_BITS) - 1);
        full.seek(ScanPoint { offset: 0, least }).unwrap();
        assert_eq!(items(scan(full)), ["damage 0"]);
    }
}

#[test]
fn the_items_of_arbitrary_bytes_come_to_an_end() {
    use proptest::prelude::*;
    let strategy = (proptest::collection::vec(any::<u8>(), 0..600), 0..3u32, any::<bool>());
    proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64))
        .run(&strategy, |(junk, before, sealed)| {
            let segment_bytes = (0..before).fold(SegmentBytes::new(7, 0, 0, 8), |made, at| made.frame(at, 1));
            let made = segment_bytes.junk(&junk);
            let bytes = if sealed { made.sealed(3).full(0) } else { made.full(0) };
            for seen in [items(segment(&bytes).strict()), items(segment(&bytes).salvaging())] {
                prop_assert_eq!(seen.iter().filter(|item| item.contains('+')).count(), before as usize);
            }
            Ok(())
        })
        .unwrap();
}
