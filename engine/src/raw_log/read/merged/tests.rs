use super::*;
use crate::raw_log::read::live::LiveView;
use crate::raw_log::read::lost::Lost;
use crate::raw_log::test_support::{LegacyBytes, SegmentBytes, epoch, layout, position};
use crate::testing::store;
use crate::testing::{MemDisk, MemFile, run};

fn disk_of(segments: &[SegmentBytes]) -> MemDisk {
    let disk = MemDisk::new();
    for segment in segments {
        disk.put(layout().live(segment.name()), &segment.full(0));
    }
    disk
}

fn open(disk: &MemDisk, range: Range<Position>) -> EpochScan<MemFile> {
    let view = run(LiveView::look(&store(disk, &layout()), Transfer::Cached)).unwrap();
    let epoch = view.epochs.values().next().unwrap();
    run(EpochScan::open(disk, epoch, range, Transfer::Cached)).unwrap()
}

fn whole() -> Range<Position> {
    position(8, 0)..position(9, 0)
}

/// Ordinals of all records from here on.
fn ordinals(scan: &mut EpochScan<MemFile>) -> Vec<u32> {
    let mut ordinals = Vec::new();
    while let Some(frame) = run(scan.next_frame()).unwrap() {
        for record in frame.records() {
            let record = record.unwrap();
            assert_eq!(record.view.docid.unwrap(), record.position.to_string().as_bytes());
            ordinals.push(record.position.ordinal());
        }
    }
    ordinals
}

fn two_shards() -> [SegmentBytes; 2] {
    [
        SegmentBytes::new(8, 0, 0, 8).frame(0, 3).frame(5, 1).frame(9, 4),
        SegmentBytes::new(8, 1, 0, 4096).frame(3, 2).frame(6, 3),
    ]
}

#[test]
fn shards_are_merged_in_the_order_of_positions() {
    let disk = disk_of(&two_shards());
    assert_eq!(ordinals(&mut open(&disk, whole())), (0..13).collect::<Vec<_>>());
}

#[test]
fn any_range_is_delivered_exactly_also_from_inside_a_frame() {
    let disk = disk_of(&two_shards());
    for begin in 0..14 {
        for end in begin..14 {
            let mut scan = open(&disk, position(8, begin)..position(8, end));
            assert_eq!(ordinals(&mut scan), (begin..end.min(13)).collect::<Vec<_>>(), "{begin}..{end}");
        }
    }
}

#[test]
fn a_scan_can_be_given_up_after_any_frame_and_gone_on_with() {
    let disk = disk_of(&two_shards());
    for frames in 0..6 {
        let mut scan = open(&disk, whole());
        let mut seen = Vec::new();
        for _ in 0..frames {
            if let Some(frame) = run(scan.next_frame()).unwrap() {
                seen.extend(frame.records().map(|record| record.unwrap().position.ordinal()));
            }
        }
        let (position, points) = (scan.position(), scan.points());
        for with_points in [false, true] {
            let mut next = open(&disk, position..whole().end);
            if with_points {
                next.seek(&points);
            }
            assert_eq!([seen.clone(), ordinals(&mut next)].concat(), (0..13).collect::<Vec<_>>());
        }
    }
}

#[test]
fn points_save_reading_the_front_again_and_useless_ones_do_no_harm() {
    let disk = disk_of(&two_shards());
    let mut scan = open(&disk, whole());
    ordinals(&mut scan);
    let points = scan.points();
    assert_eq!(points.iter().map(|(_, point)| point.least.ordinal()).collect::<Vec<_>>(), [13, 9]);
    // Points behind the range, or of no frame, are passed over.
    let mut early = open(&disk, whole());
    early.seek(&points);
    early.seek(&[(points[0].0, ScanPoint { offset: 3, least: position(8, 0) })]);
    assert_eq!(ordinals(&mut early).len(), 13);
}

#[test]
fn what_was_written_twice_is_delivered_once() {
    // Part 0 failed after its second frame; its frames were written again, cut differently.
    let disk = disk_of(&[
        SegmentBytes::new(8, 0, 0, 8).frame(0, 2).frame(2, 2),
        SegmentBytes::new(8, 0, 1, 8).frame(0, 3).frame(3, 1).frame(6, 1),
        SegmentBytes::new(8, 1, 0, 8).frame(4, 2),
    ]);
    assert_eq!(ordinals(&mut open(&disk, whole())), (0..7).collect::<Vec<_>>());
}

#[test]
fn what_was_reported_lost_never_comes_back() {
    let disk = disk_of(&two_shards());
    for gaps in [
        vec![(0, 1)],
        vec![(1, 2), (4, 7)],
        vec![(3, 5)],
        vec![(12, 20)],
        vec![(0, 13)],
        vec![(2, 3), (4, 5)],
    ] {
        let lost = Lost { epoch: epoch(8), gaps: gaps.clone() };
        disk.put(layout().live(RawName::Lost(epoch(8))), lost.encode().as_bytes());
        let expected: Vec<_> =
            (0..13).filter(|at| !gaps.iter().any(|gap| (gap.0..gap.1).contains(at))).collect();
        assert_eq!(ordinals(&mut open(&disk, whole())), expected, "{gaps:?}");
    }
}

#[test]
fn corruption_stops_the_stream() {
    let [first, second] = two_shards();
    let (first, second) = (first.sealed(13), second.sealed(13));
    let disk = disk_of(&[first.clone(), second]);
    let mut bytes = first.full(0);
    bytes[first.offsets[1] as usize + 20] ^= 1;
    disk.put(layout().live(first.name()), &bytes);
    let mut scan = open(&disk, whole());
    assert_eq!(run(scan.next_frame()).unwrap().unwrap().first, position(8, 0));
    for _ in 0..2 {
        let error = run(scan.next_frame()).unwrap_err();
        assert!(error.to_string().contains("8-0-0.rawlog is corrupt at byte"), "{error}");
    }
}

#[test]
fn an_open_epoch_can_be_followed_while_it_grows() {
    let [first, second] = two_shards();
    let disk = disk_of(&[first.clone(), second]);
    let mut scan = open(&disk, whole());
    assert_eq!(ordinals(&mut scan).len(), 13);
    let file = run(disk.open_write(&layout().live(first.name()), Transfer::Cached)).unwrap();
    let grown = first.frame(13, 2);
    run(file.write_at(crate::io::buffers::AlignedBuf::copy_of(&grown.full(0)), 0)).0.unwrap();
    assert_eq!(ordinals(&mut scan), [13, 14]);
}

#[test]
fn a_segment_of_the_original_has_its_records_own_times() {
    let disk = MemDisk::new();
    disk.put(
        layout().live(RawName::Legacy(epoch(8))),
        &LegacyBytes::new().record(b"a", 5).record(b"b", 4).bytes,
    );
    let mut scan = open(&disk, position(8, 1)..whole().end);
    let frame = run(scan.next_frame()).unwrap().unwrap();
    let records: Vec<_> = frame.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].view.docid.unwrap(), records[0].time.0), (&b"b"[..], 4));
}

#[test]
fn any_segments_give_what_a_sorted_list_gives() {
    use proptest::prelude::*;
    // For each frame: which shard writes it, how many records, whether it is lost, whether written twice.
    let frames = proptest::collection::vec((0..3u16, 1..4u32, 0..5u8, 0..4u8), 0..25);
    let strategy = (frames, 0..40u32, 0..40u32);
    proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(100))
        .run(&strategy, |(frames, begin, length)| {
            let mut segments: Vec<_> =
                (0..6).map(|at| SegmentBytes::new(8, at / 2, u32::from(at % 2), 8)).collect();
            let (mut next, mut expected) = (0, Vec::new());
            for (shard, records, lost, twice) in frames {
                let parts = match (lost, twice) {
                    (0, _) => 0..0,
                    (_, 0) => 0..2,
                    (_, 1) => 1..2,
                    _ => 0..1,
                };
                if !parts.is_empty() {
                    expected.extend(next..next + records);
                }
                for part in parts {
                    let at = usize::from(shard) * 2 + part;
                    segments[at] = segments[at].clone().frame(next, records);
                }
                next += records;
            }
            let disk = disk_of(&segments);
            let mut scan = open(&disk, position(8, begin)..position(8, begin + length));
            expected.retain(|at| (begin..begin + length).contains(at));
            prop_assert_eq!(ordinals(&mut scan), expected);
            Ok(())
        })
        .unwrap();
}
