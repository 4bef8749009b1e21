//! What only the page cache has, after a sync that failed and the end of the process.

use crate::testing::store;
use std::io::ErrorKind;

use super::*;
use crate::raw_log::test_support::Cut;

const SEGMENT: &str = "11-0-0.rawlog";

/// The drive has the first frame; the sync of the second one failed.
fn forgotten() -> MemDisk {
    let disk = raw_disk();
    let segment = small(11, 0).frame(0, 2);
    put(&disk, SEGMENT, &segment.full(0));
    disk.put_in_cache_only(layout().raw_live().join(SEGMENT), &segment.frame(2, 3).full(0));
    disk
}

/// How many calls it takes to recover such a disk where nothing fails.
fn calls_to_recover(make: impl Fn() -> MemDisk) -> usize {
    let disk = make();
    recovered(&disk);
    disk.calls()
}

#[test]
fn frames_that_only_the_cache_has_are_brought_back_and_durable() {
    let disk = forgotten();
    let start = recovered(&disk);
    assert_eq!(start.report().records, 5);
    assert!(start.report().restored_bytes > 0 && start.report().unrestored.is_empty());
    disk.restart(Cut::Power);
    assert_eq!(delivered(&disk)[&11], [0, 1, 2, 3, 4]);
}

#[test]
fn where_writes_through_the_cache_do_not_get_to_the_drive_they_go_past_it() {
    let disk = raw_disk();
    let segment = small(11, 0).frame(0, 2);
    put(&disk, SEGMENT, &segment.full(0));
    disk.put_in_cache_for_good(layout().raw_live().join(SEGMENT), &segment.frame(2, 3).full(0));
    let start = recovered(&disk);
    assert!(start.report().restored_bytes > 0 && start.report().unrestored.is_empty());
    disk.restart(Cut::Power);
    assert_eq!(delivered(&disk)[&11], [0, 1, 2, 3, 4]);
}

#[test]
fn without_the_cache_the_drive_counts() {
    let disk = forgotten();
    disk.restart(Cut::Power);
    let start = recovered(&disk);
    assert_eq!((start.report().records, start.report().restored_bytes), (2, 0));
    assert_eq!(delivered(&disk)[&11], [0, 1]);
}

#[test]
fn a_drive_that_refuses_them_again_does_not_keep_a_host_from_starting() {
    let calls = calls_to_recover(forgotten);
    let mut refused = 0;
    for call in 0..calls {
        let disk = forgotten();
        disk.fail_at(call, ErrorKind::Other);
        let Ok(start) = try_recover(&disk) else { continue };
        let report = start.report().clone();
        disk.restart(Cut::Power);
        let records = delivered(&disk).remove(&11).unwrap();
        if report.unrestored.is_empty() {
            assert_eq!(records, [0, 1, 2, 3, 4], "call {call}");
        } else {
            refused += 1;
            assert!(records == [0, 1] || records == [0, 1, 2, 3, 4], "call {call}: {records:?}");
        }
    }
    assert!(refused >= 4, "{refused} of {calls}");
}

#[test]
fn what_the_drive_has_stays_where_the_cache_is_worse() {
    // The two frames share a block of the drive; in memory a bit of the second one has flipped.
    let disk = raw_disk();
    let segment = small(11, 0).frame(0, 2).frame(2, 3);
    let whole = segment.full(0);
    put(&disk, SEGMENT, &whole);
    let mut flipped = whole.clone();
    flipped[segment.offsets[1] as usize + 40] ^= 1;
    disk.put_in_cache_only(layout().raw_live().join(SEGMENT), &flipped);
    let start = recovered(&disk);
    assert_eq!((start.report().records, start.report().restored_bytes), (5, 0));
    assert_eq!(delivered(&disk)[&11], [0, 1, 2, 3, 4]);
}

#[test]
fn without_a_descriptor_a_start_does_not_go_on_without_them() {
    let calls = calls_to_recover(forgotten);
    for call in 0..calls {
        let disk = forgotten();
        disk.fail_with(call, 24);
        if try_recover(&disk).is_err() {
            disk.restart(Cut::Kill);
            recovered(&disk);
        }
        disk.restart(Cut::Power);
        recovered(&disk);
        assert_eq!(delivered(&disk)[&11], [0, 1, 2, 3, 4], "call {call}");
    }
}

#[test]
fn dying_at_any_call_and_starting_again_loses_none_of_them() {
    let calls = calls_to_recover(forgotten);
    for call in 0..calls {
        let disk = forgotten();
        disk.die_at(call);
        try_recover(&disk).expect_err("the process is dead");
        disk.restart(Cut::Kill);
        recovered(&disk);
        disk.restart(Cut::Power);
        // The power cut may have taken the seal.
        recovered(&disk);
        assert_eq!(delivered(&disk)[&11], [0, 1, 2, 3, 4], "call {call}");
    }
}

#[test]
fn what_an_earlier_start_wrote_down_as_lost_is_not_brought_back() {
    let disk = forgotten();
    put(
        &disk,
        "11.lost",
        crate::raw_log::read::lost::Lost {
            epoch: crate::raw_log::test_support::epoch(11),
            gaps: vec![(2, 5)],
        }
        .encode()
        .as_bytes(),
    );
    let start = recovered(&disk);
    assert_eq!((start.report().records, start.report().restored_bytes), (2, 0));
    assert_eq!(delivered(&disk)[&11], [0, 1]);
}

#[test]
fn a_whole_segment_that_only_the_cache_has_is_brought_back() {
    let disk = raw_disk();
    put(&disk, "ready-3.rawlog", &[0; 12_288]);
    // Its first sync failed, also of its header.
    disk.put_in_cache_only(layout().raw_live().join("ready-3.rawlog"), &small(11, 0).frame(0, 2).full(0));
    assert_eq!(recovered(&disk).report().renamed, 1);
    disk.restart(Cut::Power);
    assert_eq!(delivered(&disk)[&11], [0, 1]);
}

#[test]
fn a_header_that_only_the_cache_shows_is_not_shown_after_recovery() {
    let disk = raw_disk();
    put(&disk, "ready-3.rawlog", &[0; 12_288]);
    disk.put_in_cache_only(layout().raw_live().join("ready-3.rawlog"), &small(11, 0).full(0));
    let start = recovered(&disk);
    assert_eq!((start.ready().len(), start.report().reset), (1, 1));
    let view = run(LiveView::look(&store(&disk, &layout()), Transfer::Cached)).unwrap();
    assert!(view.epochs.is_empty(), "{view:?}");
}

#[test]
fn what_stands_behind_a_hole_does_not_come_back_when_a_start_fails_and_dies() {
    // The last frame of the first segment is lost; the next one's frames only the cache has.
    let next = small(12, 0).follows(11, 2);
    let gone = || {
        let disk = raw_disk();
        put_segment(&disk, &small(11, 0).frame(0, 2));
        put(&disk, "12-0-0.rawlog", &next.clone().full(0));
        let shown = next.clone().frame(0, 3).full(0);
        disk.put_in_cache_only(layout().raw_live().join("12-0-0.rawlog"), &shown);
        disk
    };
    let calls = calls_to_recover(gone);
    let mut died_behind_a_failure = 0;
    for failing in 0..calls {
        for dying in failing + 1..calls {
            let disk = gone();
            disk.fail_at(failing, ErrorKind::Other);
            disk.die_at(dying);
            let first = try_recover(&disk);
            died_behind_a_failure += u64::from(first.is_err());
            disk.restart(Cut::Kill);
            recovered(&disk);
            let there = delivered(&disk).remove(&12).unwrap_or_default();
            assert_eq!(there, Vec::<u32>::new(), "failed at {failing}, died at {dying}");
        }
    }
    assert!(died_behind_a_failure > 100, "{died_behind_a_failure}");
}
