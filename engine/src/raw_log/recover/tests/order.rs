//! What recovery makes of what a crash left.

use super::*;
use crate::format::raw::{FRAMES_OFFSET, SealedBy};
use crate::raw_log::test_support::{Cut, epoch, raw_disk};
use crate::testing::store;

#[test]
fn a_fresh_host_gets_its_folders_and_begins_now() {
    let disk = MemDisk::new();
    disk.put_folder(layout().data());
    let start = recovered(&disk);
    assert_eq!(start.first_epoch(), epoch(1000));
    assert_eq!(start.report(), &RecoveryReport::default());
    assert!(run(disk.list(&layout().raw_spare())).unwrap().is_empty());
    disk.restart(Cut::Power);
    assert!(names(&disk).is_empty(), "the folder is there");
}

#[test]
fn what_was_left_open_is_sealed_and_what_is_missing_reported() {
    let disk = crashed();
    let mut told = Vec::new();
    let start = run(recover(&store(&disk, &layout()), NOW, &mut |progress| told.push(progress))).unwrap();
    let expected = [
        (10, vec![0, 1, 2]),
        // 6 came from the recycled file; 8 stood behind a hole; 10 and 11 were torn, at the very end.
        (11, vec![0, 1, 2, 3, 4, 5, 6]),
        (12, vec![0, 1]),
    ];
    let mut delivered = delivered(&disk);
    assert_eq!(delivered.remove(&5), Some(vec![0]), "of the original, one whole record");
    assert_eq!(delivered, BTreeMap::from(expected));
    assert_eq!(lost(&disk, 11).as_deref().map(|text| text.starts_with("7 2\nend ")), Some(true));
    assert_eq!(lost(&disk, 12).as_deref().map(|text| text.starts_with("2 2\nend ")), Some(true));
    assert_eq!(lost(&disk, 10), None);
    let expected = [
        "10-0-0.rawlog",
        "10-1-0.rawlog",
        "11-0-0.rawlog",
        "11-1-0.rawlog",
        "11-2-0.rawlog",
        "11.lost",
        "12-0-0.rawlog",
        "12.lost",
        "5.raw",
        "ready-5.rawlog",
        "ready-6.rawlog",
    ];
    assert_eq!(names(&disk), expected);

    let report = start.report();
    assert_eq!(start.first_epoch(), epoch(1000));
    assert_eq!((report.sealed_segments, report.frames, report.records), (3, 4, 7));
    assert_eq!((report.torn_segments, report.dropped_frames, report.dropped_records), (1, 1, 1));
    assert!(report.cut_bytes > 8, "the hole and the frame behind it");
    assert_eq!((report.renamed, report.reset, report.temporaries), (2, 1, 1));
    assert_eq!((report.lost.len(), report.lost_records()), (2, 4));
    assert_eq!(report.damaged, []);
    assert_eq!(start.ready().iter().map(|file| file.number).collect::<Vec<_>>(), [5, 6]);
    assert!(disk.contents()[&start.ready()[1].path][..FRAMES_OFFSET as usize].iter().all(|&byte| byte == 0));
    assert_eq!(told.last().map(|last| (last.segments, last.segments_total)), Some((4, 4)));
}

#[test]
fn recovering_again_changes_nothing() {
    let disk = crashed();
    let first = recovered(&disk);
    let files = disk.contents();
    let again = recovered(&disk);
    assert_eq!(disk.contents(), files);
    // What is missing is told again: the first start may have ended before it came to that.
    let missing = RecoveryReport { lost: first.report().lost.clone(), ..RecoveryReport::default() };
    assert_eq!(again.report(), &missing);
    assert_eq!(again.ready().len(), 2);
}

#[test]
fn an_open_segment_cut_at_any_byte_keeps_its_whole_frames() {
    let segment = small(11, 0).frame(0, 1).frame(1, 2).frame(3, 1);
    for len in (FRAMES_OFFSET as usize..segment.bytes.len()).step_by(3) {
        for rest in [0, 0xee] {
            let mut bytes = segment.bytes[..len].to_vec();
            bytes.resize(12_288, rest);
            let disk = raw_disk();
            put(&disk, "11-0-0.rawlog", &bytes);
            let whole = segment.offsets.iter().filter(|&&end| end as usize <= len).count() - 1;
            recovered(&disk);
            let records = delivered(&disk).remove(&11).unwrap();
            // Padding may be all that is missing of a frame.
            let possible = [vec![], vec![0], vec![0, 1, 2], vec![0, 1, 2, 3]];
            assert!(
                records == possible[whole]
                    || records == possible[whole + 1] && len + 8 > segment.offsets[whole + 1] as usize
            );
            let files = disk.contents();
            assert_eq!(recovered(&disk).report(), &RecoveryReport::default());
            assert_eq!(disk.contents(), files);
        }
    }
}

#[test]
fn the_first_epoch_lies_behind_everything_whatever_the_clock_shows() {
    let behind = |put_it: &dyn Fn(&MemDisk)| {
        let disk = raw_disk();
        put_it(&disk);
        recovered(&disk).first_epoch()
    };
    assert_eq!(behind(&|disk| put_segment(disk, &small(2000, 0))), epoch(2001));
    assert_eq!(behind(&|disk| put(disk, "ready-1.rawlog", &small(2000, 0).full(0))), epoch(2001));
    assert_eq!(behind(&|disk| put(disk, "2000.raw", b"")), epoch(2001));
    assert_eq!(behind(&|disk| put(disk, "2000.lost", b"end 0\n")), epoch(2001));
    assert_eq!(behind(&|disk| disk.put(layout().raw_history().join("2000-0-0.rawlog"), b"")), epoch(2002));
    assert_eq!(behind(&|disk| disk.put(layout().checkpoint(), b"2000")), epoch(2001));
    assert_eq!(behind(&|disk| put_segment(disk, &small(999, 0))), epoch(1000), "the clock is ahead");
    let code = crate::ids::IndexCode::new(b"m").unwrap();
    let deletion = |disk: &MemDisk| {
        run(crate::deletions::publish(&store(disk, &layout()), &code, position(2000, 7))).unwrap()
    };
    assert_eq!(behind(&deletion), epoch(2001));
}

#[test]
fn an_epoch_at_the_end_of_time_is_refused_by_name() {
    let disk = raw_disk();
    for folder in [layout().raw_live(), layout().raw_history()] {
        disk.put(folder.join("4398046511103.raw"), b"");
        let error = try_recover(&disk).unwrap_err().to_string();
        let path = folder.join("4398046511103.raw").display().to_string();
        assert!(error.contains(&path) && error.contains("move the file away"), "{error}");
        run(disk.remove_file(&folder.join("4398046511103.raw"))).unwrap();
    }
}

#[test]
fn an_epoch_that_is_half_archived_misses_nothing() {
    let disk = raw_disk();
    let [first, second] = [small(11, 0).frame(0, 2).sealed(5), small(11, 1).frame(2, 3).sealed(5)];
    disk.put(layout().history(first.name()), &first.full(0));
    put_segment(&disk, &second);
    for checkpoint in [&b"12"[..], b""] {
        disk.put(layout().checkpoint(), checkpoint);
        assert_eq!(recovered(&disk).report(), &RecoveryReport::default(), "{checkpoint:?}");
        assert_eq!(lost(&disk, 11), None);
    }
}

#[test]
fn an_epoch_that_was_lost_whole_is_told_and_does_not_hold_up_the_next() {
    let disk = raw_disk();
    put_segment(&disk, &small(12, 0).frame(0, 2).after(11).sealed(2));
    let start = recovered(&disk);
    assert_eq!(start.report().missing_epochs, [epoch(11)]);
    assert_eq!(lost(&disk, 11).as_deref(), Some("end 0\n"));
    assert_eq!(delivered(&disk), BTreeMap::from([(11, vec![]), (12, vec![0, 1])]));
    let view = run(LiveView::look(&store(&disk, &layout()), Transfer::Cached)).unwrap();
    assert_eq!(view.complete_from(epoch(11)).count(), 2);
    // Told again: the first start may have ended before it came to that.
    let missing = RecoveryReport { missing_epochs: vec![epoch(11)], ..RecoveryReport::default() };
    assert_eq!(recovered(&disk).report(), &missing);

    // What is dealt is not missing.
    let disk = raw_disk();
    disk.put(layout().checkpoint(), b"12");
    put_segment(&disk, &small(12, 0).frame(0, 2).after(11).sealed(2));
    assert_eq!(recovered(&disk).report(), &RecoveryReport::default());
}

/// Shard 0 lost the second frame of epoch 11 and went on in epoch 12; shard 1 lost nothing.
fn behind_a_hole(next: impl Fn(SegmentBytes) -> SegmentBytes) -> MemDisk {
    let disk = raw_disk();
    put_segment(&disk, &small(11, 0).frame(0, 2).hole());
    put_segment(&disk, &next(small(12, 0).follows(11, 2).frame(0, 1).frame(2, 1)));
    put_segment(&disk, &next(small(12, 1).frame(1, 1)));
    disk
}

#[test]
fn what_a_shard_wrote_to_its_next_segment_is_lost_with_what_it_wrote_before() {
    let nexts: [fn(SegmentBytes) -> SegmentBytes; 2] = [|next| next, |next| next.sealed(3)];
    for next in nexts {
        let disk = behind_a_hole(next);
        // And so on.
        put_segment(&disk, &small(13, 0).follows(12, 2).frame(0, 1));
        let start = recovered(&disk);
        let expected = BTreeMap::from([(11, vec![0, 1]), (12, vec![1]), (13, vec![])]);
        assert_eq!(delivered(&disk), expected);
        assert!(lost(&disk, 12).unwrap().starts_with("0 1\n2 1\n"));
        assert_eq!((start.report().dropped_frames, start.report().dropped_records), (3, 3));
        assert_eq!(start.report().lost_records(), 3, "of the first epoch nothing proves it");
        assert_eq!(start.report().damaged, []);
        let files = disk.contents();
        let again = recovered(&disk);
        assert_eq!((disk.contents(), &again.report().lost), (files, &start.report().lost));
        assert_eq!(again.report().dropped_frames, 0, "told once");

        let calls = disk.calls();
        for cut in Cut::ALL {
            for call in 0..calls {
                let other = behind_a_hole(next);
                put_segment(&other, &small(13, 0).follows(12, 2).frame(0, 1));
                other.die_at(call);
                let _ = try_recover(&other);
                other.restart(cut);
                recovered(&other);
                assert_eq!(delivered(&other), expected, "{cut:?} at call {call}");
            }
        }
    }
}

#[test]
fn what_a_shard_wrote_to_its_next_segment_is_lost_with_the_whole_one_before() {
    let disk = behind_a_hole(|next| next);
    // The power cut has left nothing of its header, nor of its name.
    run(disk.remove_file(&layout().live(small(11, 0).name()))).unwrap();
    put(&disk, "ready-1.rawlog", &[0; 12_288]);
    recovered(&disk);
    assert_eq!(delivered(&disk), BTreeMap::from([(12, vec![1])]));
    recovered(&disk);
    assert_eq!(delivered(&disk), BTreeMap::from([(12, vec![1])]));
}

#[test]
fn what_follows_something_whole_or_dealt_stays() {
    let next = small(12, 0).follows(11, 2).frame(0, 1);
    let disk = raw_disk();
    put_segment(&disk, &small(11, 0).frame(0, 2).frame(2, 1).sealed(3));
    put_segment(&disk, &next);
    recovered(&disk);
    assert_eq!(delivered(&disk)[&12], [0]);

    // Of what failed, what was durable stays, and the rest is in the next part.
    let disk = raw_disk();
    put_segment(&disk, &small(11, 0).frame(0, 2).hole());
    put_segment(&disk, &SegmentBytes::new(11, 0, 1, 8).file_bytes(12_288).follows(11, 0).frame(2, 1));
    put_segment(&disk, &next);
    recovered(&disk);
    assert_eq!(delivered(&disk), BTreeMap::from([(11, vec![0, 1, 2]), (12, vec![0])]));

    let disk = raw_disk();
    disk.put(layout().checkpoint(), b"12");
    put_segment(&disk, &next);
    recovered(&disk);
    assert_eq!(delivered(&disk)[&12], [0]);
}

/// Seven epochs of one process and shard, as history has them.
fn seven() -> Vec<SegmentBytes> {
    let mut all: Vec<SegmentBytes> = Vec::new();
    for millis in 11..18 {
        let mut segment = small(millis, 0).frame(0, 2).frame(2, 1);
        if millis > 11 {
            segment = segment.follows(millis - 1, 2).after(millis - 1);
        }
        all.push(segment.sealed(3));
    }
    all
}

#[test]
fn restored_from_a_copy_with_a_gap_all_that_is_there_is_kept() {
    for (left_out, after, before) in
        [(vec![0], None, 12), (vec![2], Some(12), 14), (vec![2, 3], Some(12), 15)]
    {
        let disk = raw_disk();
        for (place, segment) in seven().iter().enumerate() {
            if !left_out.contains(&place) {
                put_segment(&disk, segment);
            }
        }
        for _ in 0..2 {
            let start = recovered(&disk);
            let report = start.report();
            assert_eq!((report.dropped_records, report.lost_records()), (0, 0), "{left_out:?}");
            assert_eq!(report.missing_epochs, [epoch(before - 1)]);
            let missing = start.missing();
            assert_eq!(missing.len(), 1, "{missing:?}");
            assert_eq!((missing[0].after, missing[0].before), (after.map(epoch), Some(epoch(before))));
            let mut delivered = delivered(&disk);
            assert_eq!(delivered.remove(&(before - 1)), Some(vec![]), "with its name, dealing can pass it");
            assert_eq!(delivered.len(), 7 - left_out.len());
            assert!(delivered.values().all(|ordinals| *ordinals == [0, 1, 2]), "{delivered:?}");
        }
    }
}

#[test]
fn what_recovery_sealed_follows_no_hole_where_its_shards_last_is_not_there() {
    let disk = raw_disk();
    put_segment(&disk, &small(12, 0).follows(11, 2).frame(0, 1).sealed_by(SealedBy::Recovery, None));
    let start = recovered(&disk);
    assert_eq!(delivered(&disk), BTreeMap::from([(11, vec![]), (12, vec![0])]));
    assert_eq!((start.missing().len(), start.report().dropped_records), (1, 0));
}

#[test]
fn what_was_left_open_is_kept_where_no_file_can_have_been_before_it() {
    let disk = raw_disk();
    put_segment(&disk, &small(12, 0).follows(11, 2).frame(0, 1));
    assert_eq!(recovered(&disk).report().dropped_records, 0);
    assert_eq!(delivered(&disk), BTreeMap::from([(12, vec![0])]));
}

#[test]
fn a_part_that_is_not_there_costs_nothing_else() {
    // The first part failed and was sealed over what was durable; the second one was not copied.
    let disk = raw_disk();
    put_segment(&disk, &small(11, 0).frame(0, 2).sealed(3));
    put_segment(&disk, &small(12, 0).follows(11, 2).after(11).frame(0, 1).sealed(1));
    let start = recovered(&disk);
    assert_eq!(delivered(&disk), BTreeMap::from([(11, vec![0, 1]), (12, vec![0])]));
    assert_eq!((start.report().lost_records(), start.report().dropped_records), (1, 0));
}

#[test]
fn half_an_epoch_is_no_hole_in_front_of_the_other_half() {
    // History is pruned by the segment: of a shard's three parts the first is gone, and the last one was sealed by recovery.
    let part = |part, from| {
        SegmentBytes::new(11, 0, part, 8).file_bytes(12_288).frame(from, 2).follows(11, from - 1)
    };
    let parts = [part(1, 2).sealed(4), part(2, 4).sealed_by(SealedBy::Recovery, None)];
    for left in [&parts[..], &parts[1..]] {
        let disk = raw_disk();
        left.iter().for_each(|segment| put_segment(&disk, segment));
        for _ in 0..2 {
            assert_eq!(recovered(&disk).report().dropped_records, 0);
            let there: Vec<u32> = (6 - 2 * u32::try_from(left.len()).unwrap()..6).collect();
            assert_eq!(delivered(&disk), BTreeMap::from([(11, there)]));
        }
    }
}

#[test]
fn the_first_epoch_of_a_process_is_linked_to_the_last_one_before() {
    let linked = |put_it: &dyn Fn(&MemDisk)| {
        let disk = raw_disk();
        put_it(&disk);
        let start = recovered(&disk);
        start.sequencer().before(start.first_epoch())
    };
    assert_eq!(linked(&|_| {}), None);
    assert_eq!(linked(&|disk| put_segment(disk, &small(12, 0).frame(0, 1))), Some(epoch(12)));
    assert_eq!(linked(&|disk| put(disk, "12.lost", b"end 0\n")), Some(epoch(12)));
    let history = |disk: &MemDisk| disk.put(layout().raw_history().join("12-0-0.rawlog"), b"");
    assert_eq!(linked(&history), Some(epoch(12)));
    assert_eq!(linked(&|disk| disk.put(layout().checkpoint(), b"13")), Some(epoch(12)), "history is pruned");
}
