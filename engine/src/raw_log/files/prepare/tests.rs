use crate::testing::store;
use std::io::ErrorKind;

use super::*;
use crate::error::Error;
use crate::raw_log::files::spare::{Retired, retire};
use crate::raw_log::read::live::LiveView;
use crate::raw_log::recover::recover;
use crate::raw_log::test_support::{Cut, MemDisk, SegmentBytes, layout, raw_disk};
use crate::testing::run;
use crate::time::WallMillis;

/// Shorter files than a host has: 1 MiB and a bit, so that the last chunk is not a whole one.
const FILE_BYTES: u64 = MIB + 12_288;

async fn open(disk: &MemDisk) -> Result<Preparer<MemDisk>> {
    let recovered = recover(&store(disk, &layout()), WallMillis(1), &mut |_| {}).await?;
    let mut preparer = Preparer::open(store(disk, &layout()), &Limits::default(), &recovered).await?;
    preparer.file_bytes = FILE_BYTES;
    Ok(preparer)
}

fn fresh() -> MemDisk {
    let disk = raw_disk();
    run(open(&disk)).unwrap();
    disk
}

/// A disk that holds one spare file.
fn with_spare() -> MemDisk {
    let disk = raw_disk();
    let old = SegmentBytes::new(3, 0, 0, 8).file_bytes(FILE_BYTES).frame(0, 5).sealed(5);
    disk.put(layout().raw_spare().join("3-0-0.rawlog"), &old.full(0xee));
    run(open(&disk)).unwrap();
    disk
}

/// Whatever has the name of a ready file is one.
fn check_ready(disk: &MemDisk) -> usize {
    let view = run(LiveView::look(&store(disk, &layout()), Transfer::Direct)).unwrap();
    assert!(view.unusable.is_empty() && view.epochs.is_empty());
    for file in &view.ready {
        assert_eq!(file.bytes, FILE_BYTES);
    }
    view.ready.len()
}

#[test]
fn a_file_that_somebody_waits_for_is_only_allocated_from_there_on() {
    let disk = fresh();
    let mut preparer = run(open(&disk)).unwrap();
    let asked = std::cell::Cell::new(0);
    run(preparer.prepare_one(|| {
        asked.set(asked.get() + 1);
        true
    }))
    .unwrap();
    assert_eq!(asked.get(), 1, "nothing was written after somebody began to wait");
    let ready = preparer.take().unwrap();
    assert_eq!(disk.contents()[&ready.path], vec![0; FILE_BYTES as usize], "of full length all the same");
    assert_eq!(check_ready(&disk), 1);
}

#[test]
fn a_new_file_is_written_whole_and_a_spare_one_only_at_its_front() {
    let disk = fresh();
    let mut preparer = run(open(&disk)).unwrap();
    run(preparer.prepare_one(|| false)).unwrap();
    let ready = preparer.take().unwrap();
    assert_eq!((ready.number, ready.bytes, preparer.ready()), (0, FILE_BYTES, 0));
    assert_eq!(disk.contents()[&ready.path], vec![0; FILE_BYTES as usize]);

    let disk = with_spare();
    let mut preparer = run(open(&disk)).unwrap();
    run(preparer.prepare_one(|| false)).unwrap();
    run(preparer.prepare_one(|| false)).unwrap();
    let [recycled, new] = [preparer.take().unwrap(), preparer.take().unwrap()];
    assert!(disk.contents()[&recycled.path].starts_with(&[0; FRAMES_OFFSET as usize]));
    assert!(disk.contents()[&recycled.path].ends_with(&[0xee; 100]));
    assert!(disk.contents()[&new.path].ends_with(&[0; 100]));
    assert_eq!(check_ready(&disk), 2);
}

#[test]
fn a_folder_among_the_spare_files_is_passed_over() {
    let disk = with_spare();
    run(disk.create_folder(&layout().raw_spare().join("0"))).unwrap();
    let mut preparer = run(open(&disk)).unwrap();
    run(preparer.prepare_one(|| false)).unwrap();
    let recycled = preparer.take().unwrap();
    assert!(disk.contents()[&recycled.path].ends_with(&[0xee; 100]));
}

#[test]
fn dying_at_any_call_leaves_whole_ready_files_or_none() {
    for make in [fresh, with_spare] {
        for cut in Cut::ALL {
            for call in 0.. {
                let disk = make();
                let mut preparer = run(open(&disk)).unwrap();
                disk.die_at(call);
                let done = run(preparer.prepare_one(|| false)).is_ok();
                disk.restart(cut);
                let found = check_ready(&disk);
                assert!(found == 1 || !done, "{cut:?} at call {call}");
                // And the next start finds it or makes another.
                let mut preparer = run(open(&disk)).unwrap();
                assert_eq!(preparer.ready(), 0, "the host's files are longer");
                run(preparer.prepare_one(|| false)).unwrap();
                assert_eq!(check_ready(&disk), 1);
                if done {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_spare_file_is_never_written_to_while_history_may_still_have_it() {
    // Retired, but the names were not synced: after a power cut the file is in history again.
    for call in 0..40 {
        let old = SegmentBytes::new(3, 0, 0, 8).file_bytes(FILE_BYTES).frame(0, 5).sealed(5);
        let disk = fresh();
        disk.put(layout().history(old.name()), &old.full(0));
        run(disk.rename(&layout().history(old.name()), &layout().raw_spare().join("3-0-0.rawlog"))).unwrap();
        let mut preparer = run(open_without_recovery(&disk));
        disk.die_at(call);
        let _ = run(preparer.prepare_one(|| false));
        disk.restart(Cut::PowerKeepingBytes);
        if let Some(bytes) = disk.contents().get(&layout().history(old.name())) {
            assert_eq!(bytes, &old.full(0), "at call {call}");
        }
    }
}

async fn open_without_recovery(disk: &MemDisk) -> Preparer<MemDisk> {
    Preparer {
        store: store(disk, &layout()),
        file_bytes: FILE_BYTES,
        next_number: 0,
        ready: VecDeque::new(),
        reserve: Reserve::new(0),
    }
}

#[test]
fn a_call_that_fails_leaves_nothing_behind_under_either_name() {
    let mut failed = 0;
    for call in 0.. {
        let disk = fresh();
        let mut preparer = run(open(&disk)).unwrap();
        disk.fail_at(call, ErrorKind::Other);
        if run(preparer.prepare_one(|| false)).is_ok() {
            break;
        }
        failed += 1;
        assert_eq!(disk.contents().len(), fresh().contents().len(), "call {call}");
    }
    assert!(failed > 5, "{failed}");
}

#[test]
fn a_full_drive_is_a_clear_error_and_leaves_nothing_behind() {
    for room in [0, FILE_BYTES, FILE_BYTES + MIB] {
        let disk = fresh();
        let mut preparer = run(open(&disk)).unwrap();
        disk.set_room(Some(room));
        let Err(Error::Disk(error)) = run(preparer.prepare_one(|| false)) else { panic!("it was full") };
        assert!(error.is_full(), "{error}");
        assert!(disk.contents().is_empty());
        disk.set_room(None);
        run(preparer.prepare_one(|| false)).unwrap();
        assert_eq!((check_ready(&disk), preparer.ready()), (1, 1));
    }
}

#[test]
fn an_error_at_any_call_leaves_no_half_made_file() {
    for make in [fresh, with_spare] {
        for call in 0.. {
            let disk = make();
            let mut preparer = run(open(&disk)).unwrap();
            disk.fail_at(call, ErrorKind::Other);
            if run(preparer.prepare_one(|| false)).is_ok() {
                break;
            }
            assert_eq!(preparer.ready(), 0);
            let temporary = |path: &std::path::PathBuf| path.to_string_lossy().contains(".tmp-");
            assert!(!disk.contents().keys().any(temporary), "call {call}");
            check_ready(&disk);
            run(preparer.prepare_one(|| false)).unwrap();
        }
    }
}

#[test]
fn a_spare_file_of_another_length_is_deleted() {
    let disk = fresh();
    disk.put(layout().raw_spare().join("3-0-0.rawlog"), &[1; 10_000]);
    let mut preparer = run(open(&disk)).unwrap();
    run(preparer.prepare_one(|| false)).unwrap();
    assert_eq!(disk.contents().into_keys().collect::<Vec<_>>(), [layout().live(RawName::Ready(0))]);
}

#[test]
fn numbers_are_not_used_again_and_files_of_another_length_are_deleted_at_start() {
    let disk = fresh();
    disk.put(layout().live(RawName::Ready(7)), &vec![0; Limits::default().segment_file_bytes() as usize]);
    disk.put(layout().live(RawName::Ready(8)), &[0; 12_288]);
    // Damaged: kept, and not to be replaced.
    disk.put(layout().live(RawName::Ready(9)), &[1; 12_288]);
    let mut preparer = run(open(&disk)).unwrap();
    assert_eq!(preparer.ready(), 1);
    run(preparer.prepare_one(|| false)).unwrap();
    let numbers: Vec<_> = std::iter::from_fn(|| preparer.take()).map(|file| file.number).collect();
    assert_eq!(numbers, [7, 10]);
    assert!(disk.contents().contains_key(&layout().live(RawName::Ready(9))));
    assert!(!disk.contents().contains_key(&layout().live(RawName::Ready(8))));
}

#[test]
fn a_file_in_use_gets_its_name_and_has_a_header_wherever_a_crash_falls() {
    let segment = SegmentBytes::new(11, 2, 0, 8).frame(0, 1);
    for cut in Cut::ALL {
        for call in 0.. {
            let disk = fresh();
            let mut preparer = run(open(&disk)).unwrap();
            run(preparer.prepare_one(|| false)).unwrap();
            let file = run(disk.open_write(&preparer.take().unwrap().path, Transfer::Cached)).unwrap();
            run(file.write_at(AlignedBuf::copy_of(&segment.bytes), 0)).0.unwrap();
            run(file.sync()).unwrap();
            disk.die_at(call);
            let done = run(preparer.claimed(0, segment.name()));
            disk.restart(cut);
            let view = run(LiveView::look(&store(&disk, &layout()), Transfer::Direct)).unwrap();
            let named = disk.contents().contains_key(&layout().live(segment.name()));
            if named {
                let segments = &view.epochs.values().next().unwrap().segments;
                assert!(
                    matches!(segments[..], [SegmentView { state: SegmentState::Open(_), .. }]),
                    "call {call}"
                );
            }
            if let Ok(done) = done {
                assert!(done && named);
                break;
            }
        }
    }
}

#[test]
fn a_name_that_failed_at_any_call_is_given_by_asking_again_and_is_durable() {
    let segment = SegmentBytes::new(11, 2, 0, 8).frame(0, 1);
    let mut failed_syncs = 0;
    for call in 0.. {
        let disk = fresh();
        let mut preparer = run(open(&disk)).unwrap();
        run(preparer.prepare_one(|| false)).unwrap();
        let path = preparer.take().unwrap().path;
        disk.put(&path, &segment.full(0));
        disk.fail_at(call, std::io::ErrorKind::Other);
        let first = run(preparer.claimed(0, segment.name()));
        if let Err(error) = &first {
            if error.is_failed_sync() {
                // Asking again would prove nothing: the host ends.
                failed_syncs += 1;
                continue;
            }
            run(preparer.claimed(0, segment.name())).unwrap();
        }
        disk.restart(Cut::Power);
        assert!(disk.contents().contains_key(&layout().live(segment.name())), "call {call}");
        if first.is_ok() {
            break;
        }
    }
    assert!(failed_syncs > 0, "some of the calls were syncs");
}

#[test]
fn naming_a_file_in_use_does_not_sync_it() {
    // Its failure would be told to the wrong one, and the shard's own fdatasync would succeed without the data.
    let segment = SegmentBytes::new(11, 2, 0, 8).frame(0, 1);
    let disk = fresh();
    let mut preparer = run(open(&disk)).unwrap();
    run(preparer.prepare_one(|| false)).unwrap();
    let path = preparer.take().unwrap().path;
    run(run(disk.open_write(&path, Transfer::Cached))
        .unwrap()
        .write_at(AlignedBuf::copy_of(&segment.bytes), 0))
    .0
    .unwrap();
    assert!(run(preparer.claimed(0, segment.name())).unwrap());
    disk.restart(Cut::PowerKeepingNames);
    assert!(disk.contents()[&layout().live(segment.name())].starts_with(&[0; FRAMES_OFFSET as usize]));
}

use crate::raw_log::read::live::{SegmentState, SegmentView};

#[test]
fn claiming_what_is_not_so_is_refused_and_what_is_gone_is_fine() {
    let disk = fresh();
    let mut preparer = run(open(&disk)).unwrap();
    run(preparer.prepare_one(|| false)).unwrap();
    let path = preparer.take().unwrap().path;
    let name = SegmentBytes::new(11, 2, 0, 8).name();
    let error = run(preparer.claimed(0, name)).unwrap_err().to_string();
    assert!(error.contains("11-2-0.rawlog"), "{error}");
    disk.put(&path, &SegmentBytes::new(11, 3, 0, 8).full(0));
    run(preparer.claimed(0, name)).unwrap_err();
    assert!(!run(preparer.claimed(5, name)).unwrap());
}

#[test]
fn history_is_retired_to_a_few_spare_files() {
    let disk = raw_disk();
    let segments = [0, 1, 2].map(|shard| SegmentBytes::new(3, shard, 0, 8));
    for segment in &segments {
        disk.put(layout().history(segment.name()), &segment.full(0));
    }
    disk.put(layout().raw_history().join("2.raw"), b"x");
    let legacy = RawName::parse("2.raw").unwrap();
    let retired = |name| run(retire(&store(&disk, &layout()), name, 2)).unwrap();
    assert_eq!(retired(legacy), Retired::Deleted);
    assert_eq!(
        segments.map(|segment| retired(segment.name())),
        [Retired::Spared, Retired::Spared, Retired::Deleted]
    );
    assert_eq!(retired(legacy), Retired::Gone);
    disk.restart(Cut::Power);
    let files: Vec<_> = disk.contents().into_keys().collect();
    assert_eq!(files, ["3-0-0.rawlog", "3-1-0.rawlog"].map(|name| layout().raw_spare().join(name)));
}

#[test]
fn where_room_is_scarce_spares_and_surplus_go_first() {
    let disk = with_spare();
    let mut preparer = run(open(&disk)).unwrap();
    let reserve = Limits::default().free_bytes_min;
    for _ in 0..3 {
        run(preparer.prepare_one(|| false)).unwrap();
    }
    disk.put(layout().raw_spare().join("4-0-0.rawlog"), &[0; 9]);
    disk.set_room(Some(2 * reserve));
    assert_eq!(run(preparer.give_up(1)).unwrap(), 0);
    disk.set_room(Some(reserve + FILE_BYTES));
    assert_eq!(run(preparer.give_up(1)).unwrap(), 3, "one spare, and two of those ready");
    assert_eq!((preparer.ready(), check_ready(&disk)), (1, 1));
    assert!(!disk.contents().keys().any(|path| path.starts_with(layout().raw_spare())));
}
