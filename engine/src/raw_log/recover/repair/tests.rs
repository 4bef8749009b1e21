use super::*;
use crate::error::Result;
use crate::raw_log::read::merged::EpochScan;
use crate::raw_log::recover::verify::verify;
use crate::raw_log::test_support::{Cut, MemDisk, SegmentBytes, epoch, layout, position, raw_disk};
use crate::testing::run;
use crate::testing::store;

fn aside() -> PathBuf {
    layout().raw().join("damaged")
}

fn segments() -> [SegmentBytes; 2] {
    [
        SegmentBytes::new(8, 0, 0, 512).file_bytes(16_384).frame(0, 2).frame(4, 3).frame(9, 1).sealed(10),
        SegmentBytes::new(8, 1, 0, 512).file_bytes(16_384).frame(2, 2).frame(7, 2).sealed(10),
    ]
}

fn path(shard: u16) -> PathBuf {
    layout().raw_live().join(format!("8-{shard}-0.rawlog"))
}

/// With byte `at` of the first segment flipped.
fn damaged(at: usize) -> MemDisk {
    let disk = raw_disk();
    let [first, second] = segments();
    let mut bytes = first.full(0);
    bytes[at] ^= 0x10;
    disk.put(path(0), &bytes);
    disk.put(path(1), &second.full(0));
    disk
}

fn repaired(disk: &MemDisk) -> Repaired {
    run(repair(&store(disk, &layout()), &aside(), WallMillis(99))).unwrap()
}

/// Ordinals that a dealer would get, or why it gets none.
fn dealt(disk: &MemDisk) -> Result<Vec<u32>> {
    run(async {
        let view = LiveView::look(&store(disk, &layout()), Transfer::Direct).await?;
        assert!(view.is_complete(epoch(8)), "a dealer would wait for ever");
        let range = position(8, 0)..position(9, 0);
        let mut scan = EpochScan::open(disk, &view.epochs[&epoch(8)], range, Transfer::Direct).await?;
        let mut ordinals = Vec::new();
        while let Some(frame) = scan.next_frame().await? {
            for record in frame.records() {
                ordinals.push(record?.position.ordinal());
            }
        }
        Ok(ordinals)
    })
}

#[test]
fn what_is_whole_is_left_alone() {
    let disk = damaged(0);
    disk.put(path(0), &segments()[0].full(0));
    let before = disk.contents();
    assert_eq!(repaired(&disk), Repaired::default());
    assert_eq!(disk.contents(), before);
}

#[test]
fn a_damaged_frame_costs_only_its_records() {
    let offsets = segments()[0].offsets.clone();
    let expected = [(vec![(0, 2)], 0), (vec![(4, 7)], 1), (vec![(9, 10)], 2)];
    for (gaps, number) in expected {
        let at = usize::try_from(offsets[number]).unwrap() + 40;
        let disk = damaged(at);
        assert!(dealt(&disk).is_err(), "damage blocks dealing");
        let done = repaired(&disk);
        assert_eq!(done.lost, [Lost { epoch: epoch(8), gaps: gaps.clone() }]);
        assert_eq!(done.segments.len(), 1);
        let there = |ordinal: &u32| !gaps.iter().any(|(first, end)| (first..end).contains(&ordinal));
        assert_eq!(dealt(&disk).unwrap(), (0..10).filter(there).collect::<Vec<_>>());
        let findings = run(verify(&store(&disk, &layout()))).unwrap().findings;
        assert!(findings.is_empty(), "{findings:?}");
        let mut original = segments()[0].full(0);
        original[at] ^= 0x10;
        assert_eq!(disk.contents()[&done.segments[0].aside], original, "the damaged file is kept");
        assert_eq!(repaired(&disk), Repaired::default(), "once is enough");
    }
}

#[test]
fn a_lost_header_or_seal_is_repaired_too() {
    let disk = damaged(5);
    let done = repaired(&disk);
    assert_eq!(done.lost_records(), 6, "{done:?}");
    assert_eq!(dealt(&disk).unwrap(), [2, 3, 7, 8]);
    let disk = damaged(4096 + 5);
    let done = repaired(&disk);
    assert_eq!(done.lost_records(), 0, "every frame is whole: {done:?}");
    assert_eq!(dealt(&disk).unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_crash_at_any_step_is_finished_by_repairing_again() {
    let at = usize::try_from(segments()[0].offsets[1]).unwrap() + 40;
    let calls = {
        let disk = damaged(at);
        repaired(&disk);
        disk.calls()
    };
    assert!(calls > 10, "{calls}");
    for call in 0..calls {
        for cut in Cut::ALL {
            let disk = damaged(at);
            disk.die_at(call);
            let _ = run(repair(&store(&disk, &layout()), &aside(), WallMillis(99)));
            disk.restart(cut);
            repaired(&disk);
            assert_eq!(dealt(&disk).unwrap(), [0, 1, 2, 3, 7, 8, 9], "call {call}, {cut:?}");
            assert!(disk.contents().contains_key(&aside().join("8-0-0.rawlog")), "call {call}, {cut:?}");
        }
    }
}

/// The first shard took positions for one record and wrote six, as a fault of the host once made it; the second one took the
/// next two, and the third one those behind.
fn overlapping() -> MemDisk {
    let disk = raw_disk();
    let segment = |shard| SegmentBytes::new(8, shard, 0, 512).file_bytes(16_384);
    for (shard, bytes) in [
        (0, segment(0).frame(0, 6).frame(9, 1).sealed(10)),
        (1, segment(1).frame(1, 2).frame(7, 2).sealed(10)),
        (2, segment(2).frame(5, 2).sealed(10)),
    ] {
        disk.put(path(shard), &bytes.full(0));
    }
    disk
}

#[test]
fn of_records_with_one_position_one_is_dealt_and_one_named() {
    let disk = overlapping();
    let before = disk.contents();
    let view = run(LiveView::look(&store(&disk, &layout()), Transfer::Direct)).unwrap();
    assert!(view.epochs[&epoch(8)].surplus().is_some(), "dealing waits for a decision");
    let done = repaired(&disk);
    assert_eq!(done.segments.len(), 1, "{done:?}");
    assert_eq!(done.segments[0].displaced, BTreeMap::from([("m".to_owned(), 3)]), "1, 2 and 5");
    assert_eq!((done.segments[0].records, done.lost_records()), (4, 0));
    assert_eq!(dealt(&disk).unwrap(), (0..10).collect::<Vec<_>>());
    assert_eq!(disk.contents()[&done.segments[0].aside], before[&path(0)], "all six are kept");
    assert_eq!(disk.contents()[&path(1)], before[&path(1)]);
    let findings = run(verify(&store(&disk, &layout()))).unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(repaired(&disk), Repaired::default(), "once is enough");
}

#[test]
fn a_crash_while_positions_are_sorted_out_is_finished_later() {
    let calls = {
        let disk = overlapping();
        repaired(&disk);
        disk.calls()
    };
    for call in 0..calls {
        for cut in Cut::ALL {
            let disk = overlapping();
            let before = disk.contents();
            disk.die_at(call);
            let _ = run(repair(&store(&disk, &layout()), &aside(), WallMillis(99)));
            disk.restart(cut);
            repaired(&disk);
            assert_eq!(dealt(&disk).unwrap(), (0..10).collect::<Vec<_>>(), "call {call}, {cut:?}");
            assert_eq!(
                disk.contents()[&aside().join("8-0-0.rawlog")],
                before[&path(0)],
                "call {call}, {cut:?}"
            );
        }
    }
}

/// A segment that stood behind a hole keeps its frames where its writer had sealed it.
fn reported_before() -> MemDisk {
    let at = usize::try_from(segments()[0].offsets[2]).unwrap() + 40;
    let disk = damaged(at);
    disk.put(path(1), &segments()[1].clone().follows(7, 3).full(0));
    let lost = Lost { epoch: epoch(8), gaps: vec![(2, 4), (7, 9)] };
    disk.put(layout().live(RawName::Lost(epoch(8))), lost.encode().as_bytes());
    disk
}

#[test]
fn what_was_reported_lost_stays_lost() {
    let disk = reported_before();
    let done = repaired(&disk);
    assert_eq!(done.lost, [Lost { epoch: epoch(8), gaps: vec![(2, 4), (7, 10)] }]);
    assert_eq!(dealt(&disk).unwrap(), [0, 1, 4, 5, 6]);
    assert_eq!(repaired(&disk), Repaired::default(), "once is enough");
}

/// Cuts off the end of the .lost file.
fn with_damaged_lost(disk: &MemDisk) {
    let path = layout().live(RawName::Lost(epoch(8)));
    let bytes = disk.contents()[&path].clone();
    disk.put(&path, &bytes[..bytes.len() - 3]);
}

#[test]
fn a_damaged_lost_file_gives_nothing_back_that_it_may_have_named() {
    let disk = reported_before();
    with_damaged_lost(&disk);
    let before = disk.contents()[&layout().live(RawName::Lost(epoch(8)))].clone();
    assert!(dealt(&disk).is_err(), "dealing waits for a decision");
    let done = repaired(&disk);
    assert_eq!(dealt(&disk).unwrap(), [0, 1, 4, 5, 6], "the first segment of a shard stands behind nothing");
    assert_eq!(done.forgotten.len(), 1);
    assert_eq!(done.forgotten[0].given_up, 4);
    assert_eq!(disk.contents()[&done.forgotten[0].aside], before);
    assert_eq!(repaired(&disk), Repaired::default());
}

#[test]
fn with_a_damaged_lost_file_counts_what_follows_a_frame_that_is_there() {
    let previous = SegmentBytes::new(7, 1, 0, 512).file_bytes(16_384).frame(0, 3).frame(3, 1).sealed(4);
    for (folder, lost, delivered) in [
        (layout().raw_live(), None, 9),
        (layout().raw_history(), None, 9),
        (layout().raw_history(), Some(vec![(0, 1)]), 9),
        (layout().raw_history(), Some(vec![(3, 4)]), 5),
        (layout().raw_live(), Some(vec![(3, 4)]), 5),
    ] {
        let disk = reported_before();
        with_damaged_lost(&disk);
        disk.put(folder.join("7-1-0.rawlog"), &previous.full(0));
        if let Some(gaps) = lost {
            disk.put(folder.join("7.lost"), Lost { epoch: epoch(7), gaps }.encode().as_bytes());
        }
        repaired(&disk);
        assert_eq!(dealt(&disk).unwrap().len(), delivered, "{folder:?}");
    }
}

#[test]
fn an_earlier_damaged_file_is_still_there_after_a_second_repair() {
    let at = |frame: usize| usize::try_from(segments()[0].offsets[frame]).unwrap() + 40;
    let disk = damaged(at(0));
    let first = repaired(&disk).segments[0].aside.clone();
    let kept = disk.contents()[&first].clone();
    // The file is put back from a copy, and damaged elsewhere.
    let mut bytes = segments()[0].full(0);
    bytes[at(1)] ^= 0x10;
    disk.put(path(0), &bytes);
    let second = repaired(&disk).segments[0].aside.clone();
    assert_ne!(first, second);
    assert_eq!((&disk.contents()[&first], &disk.contents()[&second]), (&kept, &bytes));
}
