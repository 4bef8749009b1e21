use crate::testing::store;
use std::path::{Path, PathBuf};

use logtank_wire::info::{IndexLogInfo, RawLogInfo, SegmentInfo};

use super::*;
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::ids::Epoch;
use crate::io::disk::Disk;
use crate::io::disk::Transfer;
use crate::jobs::dealer::Dealer;
use crate::jobs::queue::Enqueued;
use crate::jobs::shared::Shared;
use crate::limits::Limits;
use crate::raw_log::read::lost::Lost;
use crate::testing::{MemDisk, RawEpoch, raw_record, run};

fn layout() -> Layout {
    Layout::new(Path::new("/data/storage"), None)
}

fn golden(tree: &str) -> MemDisk {
    fn copy(disk: &MemDisk, from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(disk, &entry.path(), &target);
            } else {
                disk.put(target, &std::fs::read(entry.path()).unwrap());
            }
        }
    }
    let disk = MemDisk::new();
    let trees = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/tree");
    copy(&disk, &trees.join(tree), layout().data());
    disk
}

fn index_info(disk: &MemDisk, index: &str) -> IndexLogInfo {
    run(get_index_log_info(&store(disk, &layout()), index.as_bytes())).unwrap()
}

fn existing(disk: &MemDisk, shared: &Shared) -> Vec<String> {
    let codes = run(list_existing_indexes(&store(disk, &layout()), shared)).unwrap();
    codes.into_iter().map(|code| code.to_string()).collect()
}

fn segment(timestamp: i64, length: i64, records: i32, sorted: bool) -> SegmentInfo {
    SegmentInfo {
        timestamp,
        end_timestamp: 0,
        valid_length: length,
        actual_length: length,
        record_count: records,
        sorted,
    }
}

#[test]
fn three_unsorted_segments_count_as_one_that_is_not_optimized() {
    let expected = IndexLogInfo {
        unsorted_segments: vec![
            segment(1_795_343_619_460, 1543, 19, false),
            segment(1_795_343_620_231, 644, 11, false),
            segment(1_795_343_621_150, 357, 5, false),
        ],
        unoptimized_record_count: 35,
        unoptimized_segments: 1,
        ..IndexLogInfo::default()
    };
    assert_eq!(index_info(&golden("10-three-unsorted"), "m"), expected);
}

#[test]
fn only_segments_after_the_optimized_one_count_as_not_optimized() {
    let disk = golden("14-optimized-sorted-unsorted-live");
    let expected = IndexLogInfo {
        optimized_segments: vec![segment(1_795_343_621_999, 1732, 21, true)],
        sorted_segments: vec![segment(1_795_343_637_089, 271, 4, true)],
        unsorted_segments: vec![segment(1_795_343_661_076, 118, 2, false)],
        optimized_record_count: 21,
        unoptimized_record_count: 6,
        unoptimized_segments: 2,
        last_optimization_timestamp: 1_795_343_621_999,
    };
    assert_eq!(index_info(&disk, "m"), expected);
    let raw = run(get_raw_log_info(&store(&disk, &layout()))).unwrap();
    let undealt = vec![segment(1_795_343_666_108, 241, 0, false)];
    assert_eq!(raw, RawLogInfo { undealt_segments: undealt, dealer_next_timestamp: 1_795_343_666_108 });
}

#[test]
fn a_host_without_a_single_folder_answers_everything_and_creates_nothing() {
    let (disk, shared) = (MemDisk::new(), Shared::new());
    assert_eq!(index_info(&disk, "ghost"), IndexLogInfo::default());
    assert_eq!(run(get_raw_log_info(&store(&disk, &layout()))).unwrap(), RawLogInfo::default());
    assert!(existing(&disk, &shared).is_empty());
    let enqueued =
        run(enqueue_for_optimization(&store(&disk, &layout()), &shared, b"ghost", 1, 1.0)).unwrap();
    assert_eq!(enqueued, Enqueued::Unknown);
    assert!(get_optimization_queue(&shared).is_empty());
    assert!(disk.files().is_empty());
    assert!(run(disk.metadata(layout().data())).unwrap().is_none());
}

#[test]
fn codes_that_name_no_index_are_refused_everywhere() {
    let (disk, shared) = (golden("10-three-unsorted"), Shared::new());
    let files = disk.files();
    for bad in ["", "../../x", "/", ".", "a/b", "a\0", &"x".repeat(129)] {
        let bad = bad.as_bytes();
        assert!(matches!(run(get_index_log_info(&store(&disk, &layout()), bad)), Err(ManagerError::Code(_))));
        assert!(matches!(
            run(delete_index(&store(&disk, &layout()), &shared, bad)),
            Err(ManagerError::Code(_))
        ));
        let enqueued = run(enqueue_for_optimization(&store(&disk, &layout()), &shared, bad, 1, 1.0));
        assert!(matches!(enqueued, Err(ManagerError::Code(_))));
    }
    assert_eq!(disk.files(), files);
}

#[test]
fn the_queue_shows_what_waits() {
    let (disk, shared) = (golden("10-three-unsorted"), Shared::new());
    let enqueue = |code: &[u8], priority, score| {
        run(enqueue_for_optimization(&store(&disk, &layout()), &shared, code, priority, score)).unwrap()
    };
    assert_eq!(enqueue(b"m", 3, 0.5), Enqueued::Added);
    assert_eq!(enqueue(b"m", 4, 0.5), Enqueued::Kept);
    assert_eq!(enqueue(b"k", 1, f64::INFINITY), Enqueued::Added);
    let queue: Vec<_> =
        get_optimization_queue(&shared).into_values().map(|score| (score.priority, score.score)).collect();
    assert_eq!(queue, [(1, f64::INFINITY), (3, 0.5)]);
    run(delete_index(&store(&disk, &layout()), &shared, b"m")).unwrap();
    assert_eq!(get_optimization_queue(&shared).len(), 1, "what is deleted needs no optimization");
}

#[test]
fn an_index_exists_from_its_first_acknowledged_record_until_it_is_deleted() {
    let (disk, shared) = (MemDisk::new(), Shared::new());
    run(disk.create_folder(&layout().raw_history())).unwrap();
    run(disk.create_folder(&layout().indexes())).unwrap();
    let mut epoch = RawEpoch::new(1_000, 2);
    epoch.frame(0, &[raw_record("a", "doc", Some("x")), raw_record("b", "doc", Some("x"))]);
    epoch.put(&store(&disk, &layout()), false);
    assert_eq!(existing(&disk, &shared), ["a", "b"], "before anything is dealt");
    run(delete_index(&store(&disk, &layout()), &shared, b"a")).unwrap();
    run(delete_index(&store(&disk, &layout()), &shared, b"never-was")).unwrap();
    assert_eq!(existing(&disk, &shared), ["b"]);
    epoch.frame(1, &[raw_record("a", "doc", None)]);
    epoch.put(&store(&disk, &layout()), true);
    assert_eq!(existing(&disk, &shared), ["a", "b"], "written after the deletion");

    let mut dealer = Dealer::new(store(&disk, &layout()), &Limits::default(), Transfer::Cached);
    run(dealer.deal_next(&shared.deletions)).unwrap();
    assert_eq!(existing(&disk, &shared), ["a", "b"]);
    run(delete_index(&store(&disk, &layout()), &shared, b"b")).unwrap();
    assert_eq!(existing(&disk, &shared), ["a"], "its folder is still there");
    assert_eq!(index_info(&disk, "b"), IndexLogInfo::default());
    assert!(disk.files().iter().any(|file: &PathBuf| file.starts_with(layout().indexes().join("b"))));
}

#[test]
fn damage_of_the_raw_log_hides_no_other_index_from_the_list() {
    let (disk, shared) = (golden("10-three-unsorted"), Shared::new());
    let mut epoch = RawEpoch::new(1_800_000_000_000, 1);
    epoch.frame(0, &[raw_record("damaged", "doc", Some("x"))]);
    epoch.frame(0, &[raw_record("whole", "doc", Some("x"))]);
    epoch.put(&store(&disk, &layout()), true);
    let path = layout().live(epoch.name(0));
    let mut bytes = disk.get(&path).unwrap();
    bytes[8192 + 50] ^= 1;
    disk.put(&path, &bytes);
    assert_eq!(existing(&disk, &shared), ["k", "m", "whole"]);
}

#[test]
fn a_damaged_header_hides_nothing_of_another_segment() {
    let (disk, shared) = (MemDisk::new(), Shared::new());
    run(disk.create_folder(&layout().indexes())).unwrap();
    let mut epoch = RawEpoch::new(1_000, 2);
    epoch.frame(0, &[raw_record("hidden", "doc", Some("x"))]);
    epoch.frame(1, &[raw_record("whole", "doc", Some("x"))]);
    epoch.put(&store(&disk, &layout()), true);
    let path = layout().live(epoch.name(0));
    let mut bytes = disk.get(&path).unwrap();
    bytes[20] ^= 1;
    disk.put(&path, &bytes);
    assert_eq!(existing(&disk, &shared), ["whole"]);
}

#[test]
fn an_index_of_which_all_was_reported_lost_is_not_listed() {
    let (disk, shared) = (MemDisk::new(), Shared::new());
    run(disk.create_folder(&layout().indexes())).unwrap();
    let mut epoch = RawEpoch::new(1_000, 1);
    epoch.frame(0, &[raw_record("lost", "doc", Some("x")), raw_record("kept", "doc", Some("x"))]);
    epoch.put(&store(&disk, &layout()), true);
    let lost = Lost { epoch: Epoch::new(1_000).unwrap(), gaps: vec![(0, 1)] };
    let path = layout().live(RawName::Lost(lost.epoch));
    disk.put(&path, lost.encode().as_bytes());
    assert_eq!(existing(&disk, &shared), ["kept"]);
    disk.put(&path, b"damaged");
    assert_eq!(existing(&disk, &shared), ["kept", "lost"], "nobody knows what was lost");
}

#[test]
fn undealt_segments_are_listed_for_each_shard_and_without_those_on_their_way_to_history() {
    let disk = MemDisk::new();
    for millis in [1_000, 2_000] {
        let mut epoch = RawEpoch::new(millis, 2);
        epoch.frame(0, &[raw_record("a", "doc", Some("x")), raw_record("b", "doc", Some("x"))]);
        epoch.put(&store(&disk, &layout()), millis == 1_000);
    }
    let info = || run(get_raw_log_info(&store(&disk, &layout()))).unwrap();
    let segments = info().undealt_segments;
    let of = |at: usize| (segments[at].timestamp, segments[at].record_count, segments[at].valid_length > 0);
    assert_eq!(
        [of(0), of(1), of(2), of(3)],
        [(1_000, 2, true), (1_000, 0, true), (2_000, 0, false), (2_000, 0, false)]
    );
    disk.put(layout().checkpoint(), b"2000");
    assert_eq!((info().undealt_segments.len(), info().dealer_next_timestamp), (2, 2_000));
}
