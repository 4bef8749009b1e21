use super::*;
use crate::raw_log::test_support::{LegacyBytes, SegmentBytes, epoch, layout};
use crate::testing::store;
use crate::testing::{Hooked, MemDisk, Stepped, run};

fn look(disk: &MemDisk) -> LiveView {
    run(LiveView::look(&store(disk, &layout()), Transfer::Cached)).unwrap()
}

fn put(disk: &MemDisk, name: &str, bytes: &[u8]) {
    disk.put(layout().raw_live().join(name), bytes);
}

fn put_segment(disk: &MemDisk, segment: &SegmentBytes) {
    put(disk, &segment.name().to_string(), &segment.full(0));
}

#[test]
fn a_missing_or_empty_folder_holds_nothing() {
    let disk = MemDisk::new();
    assert!(look(&disk).epochs.is_empty());
    put(&disk, "README", b"not ours");
    put(&disk, ".tmp-7.lost", b"end");
    let view = look(&disk);
    assert!(view.epochs.is_empty() && view.ready.is_empty() && view.greatest_epoch().is_none());
}

#[test]
fn files_are_told_apart_by_their_headers_and_ordered() {
    let disk = MemDisk::new();
    put(&disk, "ready-1.rawlog", &SegmentBytes::new(8, 1, 0, 8).frame(0, 1).full(0));
    put(&disk, "ready-2.rawlog", &[0; 20_000]);
    put(&disk, "ready-3.rawlog", &[7; 20_000]);
    let mut sealed_once = SegmentBytes::new(8, 2, 0, 8).sealed(0).full(0);
    sealed_once[..4096].fill(0);
    put(&disk, "ready-4.rawlog", &sealed_once);
    put_segment(&disk, &SegmentBytes::new(8, 0, 1, 8));
    put_segment(&disk, &SegmentBytes::new(8, 0, 0, 8).frame(1, 1).sealed(2));
    put(&disk, "5.raw", &LegacyBytes::new().record(b"a", 5).bytes);
    put(&disk, "8-9-9.rawlog", &SegmentBytes::new(8, 9, 8, 8).full(0));
    put(&disk, "8.lost", b"3 1\nend 0\n");

    let view = look(&disk);
    assert_eq!(view.epochs.keys().map(|epoch| epoch.millis()).collect::<Vec<_>>(), [5, 8]);
    assert_eq!(view.ready, [ReadyFile { number: 2, path: layout().live(RawName::Ready(2)), bytes: 20_000 }]);
    let unusable: Vec<_> =
        view.unusable.iter().map(|file| (file.file.number, file.error, file.never_sealed)).collect();
    assert_eq!(unusable, [(3, BlockError::Magic, false), (4, BlockError::Empty, false)]);
    let segments: Vec<_> = view.epochs[&epoch(8)]
        .segments
        .iter()
        .map(|segment| (segment.name.to_string(), &segment.state))
        .collect();
    assert!(matches!(segments[0], (ref name, SegmentState::Sealed(..)) if name == "8-0-0.rawlog"));
    assert!(matches!(segments[1], (ref name, SegmentState::Open(_)) if name == "8-0-1.rawlog"));
    assert!(matches!(segments[2], (ref name, SegmentState::Open(_)) if name == "8-1-0.rawlog"));
    assert!(matches!(segments[3], (ref name, SegmentState::HeaderDamaged(_)) if name == "8-9-9.rawlog"));
    assert!(matches!(&view.epochs[&epoch(8)].lost, Some(Err(damage)) if damage.path.ends_with("8.lost")));
}

#[test]
fn an_epoch_is_complete_when_its_sealed_records_add_up() {
    let disk = MemDisk::new();
    let complete = |disk: &MemDisk| look(disk).is_complete(epoch(8));
    assert!(!complete(&disk), "nothing is not complete");
    put_segment(&disk, &SegmentBytes::new(8, 0, 0, 8).frame(0, 2).sealed(5));
    assert!(!complete(&disk), "another shard's segment is not there yet");
    put_segment(&disk, &SegmentBytes::new(8, 1, 0, 8).frame(2, 3));
    assert!(!complete(&disk), "not sealed");
    put_segment(&disk, &SegmentBytes::new(8, 1, 0, 8).frame(2, 3).sealed(5));
    assert!(complete(&disk));
    put_segment(&disk, &SegmentBytes::new(8, 2, 0, 8));
    assert!(!complete(&disk), "a shard is still at it");
}

#[test]
fn what_recovery_has_been_over_is_complete_whatever_is_missing() {
    let disk = MemDisk::new();
    put_segment(&disk, &SegmentBytes::new(8, 0, 0, 8).frame(0, 2).sealed(5));
    put(&disk, "8.lost", b"2 3\nend 0\n");
    assert!(look(&disk).is_complete(epoch(8)));
    put_segment(&disk, &SegmentBytes::new(9, 0, 0, 8).frame(0, 2).sealed_by(SealedBy::Recovery, None));
    let view = look(&disk);
    assert!(view.is_complete(epoch(9)));
    assert_eq!(view.complete_from(epoch(9)).count(), 1);
    assert_eq!(view.complete_from(Epoch::ZERO).count(), 2);
    put_segment(&disk, &SegmentBytes::new(7, 0, 0, 8).frame(0, 2));
    assert_eq!(look(&disk).complete_from(Epoch::ZERO).count(), 0, "never past one that is not complete");
}

#[test]
fn a_segment_of_the_original_is_complete_when_it_wrote_the_next_or_recovery_has_been_over_it() {
    let disk = MemDisk::new();
    put(&disk, "5.raw", b"");
    assert!(!look(&disk).is_complete(epoch(5)));
    put(&disk, "6.raw", b"");
    let view = look(&disk);
    assert!(view.is_complete(epoch(5)) && !view.is_complete(epoch(6)));
    put(&disk, "6.lost", b"end 0\n");
    assert!(look(&disk).is_complete(epoch(6)));
}

#[test]
fn a_look_during_which_anything_moves_is_taken_again() {
    let first = SegmentBytes::new(8, 0, 0, 8).frame(0, 1).sealed(1);
    let second = SegmentBytes::new(9, 1, 0, 8).frame(0, 1).sealed(1);
    for (step, name) in (0..200).flat_map(|step| [(step, "ready-1.rawlog"), (step, "ready-3.rawlog")]) {
        let disk = MemDisk::new();
        put(&disk, "ready-1.rawlog", &[0; 20_000]);
        put(&disk, "ready-2.rawlog", &[0; 20_000]);
        let slow = store(&Hooked::stepping(disk.clone()), &layout());
        let mut looking = Stepped::new(LiveView::look(&slow, Transfer::Cached));
        if looking.steps(step).is_some() {
            assert!(step > 5);
            return;
        }
        // Meanwhile two epochs come and are sealed, the earlier in the file that was read first, or in a new one.
        put(&disk, name, &first.full(0));
        put(&disk, "ready-2.rawlog", &second.full(0));
        let view = looking.steps(1000).unwrap().unwrap();
        let seen: Vec<_> = view.epochs.keys().map(|epoch| epoch.millis()).collect();
        assert!(seen.is_empty() || seen == [8, 9], "step {step}: {seen:?}");
        assert!(view.epochs.values().all(|epoch| epoch.segments.len() == 1));
    }
    panic!("the look never ended");
}

#[test]
fn a_folder_that_changes_faster_than_it_is_read_is_seen() {
    let disk = MemDisk::new();
    let sealed = |millis| SegmentBytes::new(millis, 0, 0, 8).frame(0, 1).sealed(1);
    (1..=200).for_each(|millis| put_segment(&disk, &sealed(millis)));
    let slow = store(&Hooked::stepping(disk.clone()), &layout());
    let mut looking = Stepped::new(LiveView::look(&slow, Transfer::Cached));
    for millis in 201..400 {
        // Fewer than it takes to read 200 segments.
        if let Some(view) = looking.steps(100) {
            let view = view.unwrap();
            assert!(view.epochs.keys().map(|epoch| epoch.millis()).eq(1..millis), "{millis}");
            return;
        }
        put_segment(&disk, &sealed(millis));
    }
    panic!("the look never ended");
}

#[test]
fn a_file_that_is_renamed_or_archived_while_looking_is_seen_once_or_not_at_all() {
    let segment = SegmentBytes::new(8, 0, 0, 8).frame(0, 1).sealed(1);
    for (target, archived) in [("live/8-0-0.rawlog", false), ("history/8-0-0.rawlog", true)] {
        for step in 0..200 {
            let disk = MemDisk::new();
            put(&disk, "ready-1.rawlog", &segment.full(0));
            run(disk.create_folder(&layout().raw_history())).unwrap();
            let slow = store(&Hooked::stepping(disk.clone()), &layout());
            let mut looking = Stepped::new(LiveView::look(&slow, Transfer::Cached));
            if looking.steps(step).is_some() {
                break;
            }
            run(disk.rename(&layout().live(RawName::Ready(1)), &layout().raw().join(target))).unwrap();
            let view = looking.steps(1000).unwrap().unwrap();
            let seen = view.epochs.values().map(|epoch| epoch.segments.len()).sum::<usize>();
            assert!(seen == 1 || archived && seen == 0, "step {step}");
        }
    }
}

#[test]
fn an_epoch_is_not_dealt_while_the_one_before_it_has_not_reached_the_disk() {
    // A shard took positions in 8 and waits for a segment; meanwhile another one filled 9.
    let disk = MemDisk::new();
    put_segment(&disk, &SegmentBytes::new(9, 1, 0, 8).frame(0, 2).after(8).sealed(2));
    assert_eq!(look(&disk).complete_from(Epoch::ZERO).count(), 0);
    assert_eq!(look(&disk).complete_from(epoch(9)).count(), 1, "8 is dealt");
    put_segment(&disk, &SegmentBytes::new(8, 0, 0, 8).frame(0, 1));
    assert_eq!(look(&disk).complete_from(Epoch::ZERO).count(), 0);
    put_segment(&disk, &SegmentBytes::new(8, 0, 0, 8).frame(0, 1).sealed(1));
    assert_eq!(look(&disk).complete_from(Epoch::ZERO).count(), 2);
}

#[test]
fn a_folder_that_changes_all_the_time_is_unsettled() {
    let memory = MemDisk::new();
    let disk = Hooked::new(memory.clone(), {
        let number = std::cell::Cell::new(0);
        move |call, _| {
            if call == crate::error::Verb::List {
                number.set(number.get() + 1);
                put(&memory, &format!("ready-{}.rawlog", number.get()), &[0; 12_288]);
            }
            Ok(())
        }
    });
    let found = run(LiveView::look(&store(&disk, &layout()), Transfer::Cached));
    assert!(
        matches!(&found, Err(Error::Unsettled(unsettled)) if unsettled.path == layout().raw_live()),
        "{found:?}"
    );
}
