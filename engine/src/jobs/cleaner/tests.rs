use crate::testing::store;
use std::path::Path;
use std::time::Duration;

use super::superseded::Visit;
use super::{Deleted, Superseded};
use crate::deletion_log::DeletionLog;
use crate::deletions::load_one;
use crate::format::layout::Layout;
use crate::format::names::SegmentName;
use crate::ids::{Epoch, IndexCode, Position};
use crate::index_log::index_store::Bounds;
use crate::io::disk::Disk;
use crate::jobs::config::JobsConfig;
use crate::testing::{Cut, Hooked, ManualClock, MemDisk, Stepped, run};
use crate::time::{Clock, WallMillis};

const HALF_HOUR: Duration = Duration::from_secs(30 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}

/// What was read only now may go, too.
fn at_once() -> JobsConfig {
    JobsConfig { unread_before_clean: Duration::ZERO, ..JobsConfig::default() }
}

fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

/// Puts a segment like `unsorted_3` of epoch `millis` there, and its sidecar.
fn put(disk: &MemDisk, index: &str, millis: u64, what: &str) {
    let name = SegmentName::parse(&format!("1970.01.01-00.00.00.{millis:03}.{what}")).unwrap();
    disk.put(layout().segment(&code(index), name), b"12345");
    disk.put(layout().sidecar(&code(index), name), b"sidecar");
}

/// Names of the segments of an index, and of anything else in its folders.
fn left(disk: &MemDisk, index: &str) -> Vec<String> {
    let files = disk.files().into_iter().filter(|path| path.starts_with(layout().index(&code(index))));
    let names = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    names
        .filter(|name| !name.ends_with(".sum"))
        .map(|name| name.replace("1970.01.01-00.00.00.", ""))
        .collect()
}

struct World {
    disk: MemDisk,
    clock: ManualClock,
    superseded: Superseded<MemDisk>,
}

impl World {
    fn new() -> Self {
        let disk = MemDisk::new();
        // A tree of the original: what covers what is told by names.
        for (millis, what) in [
            (100, "optimized_9"),
            (300, "optimized_9"),
            (100, "sorted_5"),
            (300, "sorted_5"),
            (400, "sorted_5"),
            (450, "unsorted_1"),
        ] {
            put(&disk, "m", millis, what);
        }
        let superseded = Superseded::new(store(&disk, &layout()), &JobsConfig::default());
        Self { disk, clock: ManualClock::at(1_000_000_000), superseded }
    }

    fn visit(&mut self) -> Visit {
        let now = self.clock.now().mono;
        run(self.superseded.visit(&code("m"), Bounds { checkpoint: epoch(900), deletion: None }, false, now))
            .unwrap()
    }

    fn read(&self) {
        self.disk.set_time(self.clock.now().wall);
        run(self.disk.touch(&layout().last_read(&code("m")))).unwrap();
    }

    fn pass(&mut self, minutes: u64) -> u64 {
        self.clock.advance(Duration::from_secs(60 * minutes));
        self.visit().cleaned.superseded
    }
}

#[test]
fn superseded_segments_go_when_the_index_was_unread_for_half_an_hour() {
    let mut world = World::new();
    world.read();
    assert_eq!(world.pass(0), 0);
    assert_eq!(world.pass(29), 0);
    world.read();
    assert_eq!(world.pass(29), 0);
    assert_eq!(world.pass(29), 0);
    assert_eq!(world.pass(1), 3);
    assert_eq!(left(&world.disk, "m"), ["last_read", "300.optimized_9", "400.sorted_5", "450.unsorted_1"]);
    assert!(!world.disk.files().iter().any(|path| path.to_str().unwrap().contains("100.")), "sidecars too");
}

#[test]
fn a_clock_that_steps_makes_nothing_look_unread_and_stops_no_cleaning() {
    let mut world = World::new();
    world.read();
    assert_eq!(world.pass(0), 0);
    world.clock.set_wall(9_000_000_000);
    assert_eq!(world.pass(1), 0, "a day ahead at once");
    world.read();
    world.clock.set_wall(1_000);
    assert_eq!(world.pass(1), 0, "the last read lies in the future now");
    assert_eq!(world.pass(30), 3, "but it is half an hour ago");
}

#[test]
fn an_index_never_read_is_cleaned_too_and_one_with_nothing_superseded_left_alone() {
    let mut world = World::new();
    world.visit();
    assert_eq!(world.pass(31), 3);
    assert_eq!(world.pass(31), 0);
    assert!(!world.visit().empty);
}

#[test]
fn wherever_a_power_cut_falls_the_witness_is_gone_before_anything_else_is() {
    let fresh = World::new().disk;
    let clock = ManualClock::at(1_000_000_000);
    for steps in 0.. {
        let disk = fresh.copy();
        let mut superseded = Superseded::new(store(&Hooked::stepping(disk.clone()), &layout()), &at_once());
        let m = code("m");
        let visit =
            superseded.visit(&m, Bounds { checkpoint: epoch(900), deletion: None }, false, clock.now().mono);
        let ended = Stepped::new(visit).steps(steps).is_some();
        for cut in Cut::each(steps) {
            let left = left(&disk.after(cut), "m");
            let is_there = |name: &str| left.iter().any(|left| left == name);
            let all_there = is_there("100.sorted_5") && is_there("100.optimized_9");
            assert!(all_there || !is_there("300.sorted_5"), "{cut:?} after {steps} calls: {left:?}");
        }
        if ended {
            break;
        }
    }
    // The loop above has seen it all go.
    let mut world = World::new();
    world.superseded = Superseded::new(store(&world.disk, &layout()), &at_once());
    assert_eq!(world.visit().cleaned.superseded, 3);
}

#[test]
fn strays_go_after_an_hour_but_not_those_that_come_and_go() {
    let mut world = World::new();
    let stray = |name: &str| layout().segments(&code("m")).join(name);
    world.disk.put(stray(".tmp-1970.01.01-00.00.00.450.sorted_0"), b"");
    world.disk.put(stray("1970.01.01-00.00.00.460.unsorted_1.sum"), b"");
    world.disk.put(stray("temp___1970.01.01-00.00.00.440.sorted_0"), b"the original's");
    world.disk.put(stray("notes.txt"), b"someone else's");
    assert_eq!(world.visit().cleaned.leftovers, 0);
    world.clock.advance(Duration::from_secs(3_599));
    world.disk.put(stray(".tmp-1970.01.01-00.00.00.470.unsorted_1"), b"");
    assert_eq!(world.visit().cleaned.leftovers, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.visit().cleaned.leftovers, 3);
    assert!(world.disk.get(stray("notes.txt")).is_some());
    assert!(world.disk.get(stray(".tmp-1970.01.01-00.00.00.470.unsorted_1")).is_some());
}

#[test]
fn discovery_and_leftovers_of_a_sort_are_told() {
    let mut world = World::new();
    for millis in [500, 510, 520, 530] {
        put(&world.disk, "m", millis, "sorted_5");
    }
    let worth = world.visit().worth.unwrap();
    // Six segments; 26 records to 9 count as twice.
    assert!((worth - 12.0).abs() < 1e-9, "{worth}");
}

#[test]
fn an_empty_folder_is_told_when_unread_and_removed_when_nothing_came() {
    let disk = MemDisk::new();
    disk.put(layout().last_read(&code("ghost")), b"");
    let clock = ManualClock::at(5);
    let mut superseded = Superseded::new(store(&disk, &layout()), &JobsConfig::default());
    let mut visit = || {
        let now = clock.now().mono;
        run(superseded.visit(&code("ghost"), Bounds { checkpoint: epoch(900), deletion: None }, true, now))
            .unwrap()
            .empty
    };
    assert!(!visit());
    clock.advance(HALF_HOUR);
    assert!(visit());
    let deleted = Deleted::new(store(&disk, &layout()));
    put(&disk, "other", 10, "unsorted_1");
    assert!(!run(deleted.remove_if_empty(&code("other"))).unwrap());
    assert!(run(deleted.remove_if_empty(&code("ghost"))).unwrap());
    assert!(run(disk.metadata(&layout().index(&code("ghost")))).unwrap().is_none());
    assert_eq!(left(&disk, "other"), ["010.unsorted_1"]);
}

fn delete(disk: &MemDisk, index: &str, before: u64) {
    run(crate::deletions::publish(&store(disk, &layout()), &code(index), Position::new(epoch(before), 3)))
        .unwrap();
}

fn carry_out(
    deleted: &mut Deleted<MemDisk>,
    log: &DeletionLog,
    checkpoint: u64,
    clock: &ManualClock,
) -> super::Cleaned {
    run(deleted.carry_out(log, epoch(checkpoint), clock.now())).unwrap()
}

#[test]
fn a_deleted_index_goes_whole_and_one_that_was_begun_anew_keeps_what_is_new() {
    let disk = MemDisk::new();
    for index in ["gone", "anew", "kept"] {
        put(&disk, index, 100, "optimized_5");
        put(&disk, index, 200, "unsorted_5");
    }
    put(&disk, "anew", 300, "unsorted_5");
    let clock = ManualClock::at(400);
    disk.set_time(WallMillis(400));
    delete(&disk, "gone", 300);
    delete(&disk, "anew", 300);
    let (mut deleted, log) = (Deleted::new(store(&disk, &layout())), DeletionLog::new());
    let cleaned = carry_out(&mut deleted, &log, 301, &clock);
    assert_eq!((cleaned.folders, cleaned.deleted, cleaned.bytes, cleaned.deletions), (1, 2, 10, 0));
    assert_eq!(left(&disk, "gone"), [""; 0]);
    assert_eq!(left(&disk, "anew"), ["300.unsorted_5"]);
    assert_eq!(left(&disk, "kept").len(), 2);
    assert!(run(disk.list(&layout().trash())).unwrap().is_empty());
    assert!(carry_out(&mut deleted, &log, 301, &clock).is_nothing());
}

#[test]
fn a_deletion_is_forgotten_when_dealing_has_passed_it_and_it_is_a_day_old() {
    let disk = MemDisk::new();
    put(&disk, "m", 100, "unsorted_5");
    let clock = ManualClock::at(1_000);
    disk.set_time(WallMillis(1_000));
    delete(&disk, "m", 300);
    let (mut deleted, log) = (Deleted::new(store(&disk, &layout())), DeletionLog::new());
    carry_out(&mut deleted, &log, 300, &clock);
    clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(carry_out(&mut deleted, &log, 400, &clock).deletions, 0, "not a day old");
    // What a job that began before the deletion published meanwhile.
    put(&disk, "m", 150, "optimized_5");
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(carry_out(&mut deleted, &log, 300, &clock).deletions, 0, "records before it may be undealt");
    assert_eq!(left(&disk, "m"), [""; 0], "it was removed all the same");
    put(&disk, "m", 150, "optimized_5");
    clock.advance(Duration::from_secs(3_600));
    let cleaned = carry_out(&mut deleted, &log, 301, &clock);
    assert_eq!((cleaned.folders, cleaned.deletions), (1, 1));
    assert_eq!(run(load_one(&store(&disk, &layout()), &code("m"))).unwrap(), None);
    assert_eq!(run(log.snapshot(&store(&disk, &layout()))).unwrap().iter().count(), 0);
}

#[test]
fn a_crash_at_any_call_never_brings_a_deleted_index_back() {
    for steps in 0.. {
        let disk = MemDisk::new();
        put(&disk, "m", 100, "optimized_5");
        put(&disk, "m", 200, "unsorted_5");
        delete(&disk, "m", 300);
        let clock = ManualClock::at(u64::from(u32::MAX));
        let slow = Hooked::stepping(disk.clone());
        let log = DeletionLog::new();
        let mut first = Deleted::new(store(&slow, &layout()));
        let ended = Stepped::new(first.carry_out(&log, epoch(400), clock.now())).steps(steps).is_some();
        let deleted = run(load_one(&store(&disk, &layout()), &code("m"))).unwrap().is_some();
        assert!(deleted || left(&disk, "m").is_empty(), "after {steps} calls");
        run(super::empty_trash(&store(&disk, &layout()))).unwrap();
        carry_out(&mut Deleted::new(store(&disk, &layout())), &DeletionLog::new(), 400, &clock);
        // Kept with history, for as long as that has anything of the index.
        let kept = layout().raw_history().join("300-3-m.deleted");
        assert_eq!(disk.files(), [kept], "after {steps} calls");
        if ended {
            break;
        }
    }
}

#[test]
fn a_power_cut_never_brings_a_deleted_index_back() {
    let fresh = MemDisk::new();
    put(&fresh, "m", 100, "optimized_5");
    put(&fresh, "m", 400, "unsorted_5");
    put(&fresh, "gone", 200, "unsorted_5");
    delete(&fresh, "m", 300);
    delete(&fresh, "gone", 300);
    let clock = ManualClock::at(u64::from(u32::MAX));
    for steps in 0.. {
        let disk = fresh.copy();
        let slow = Hooked::stepping(disk.clone());
        let log = DeletionLog::new();
        let mut first = Deleted::new(store(&slow, &layout()));
        let ended = Stepped::new(first.carry_out(&log, epoch(400), clock.now())).steps(steps).is_some();
        for cut in Cut::each(steps) {
            let after = disk.after(cut);
            for (index, old) in [("m", "100.optimized_5"), ("gone", "200.unsorted_5")] {
                let deleted = run(load_one(&store(&after, &layout()), &code(index))).unwrap().is_some();
                let back = left(&after, index).iter().any(|name| name == old);
                assert!(deleted || !back, "{index}, {cut:?} after {steps} calls");
            }
            assert!(left(&after, "m").contains(&"400.unsorted_5".to_owned()));
        }
        if ended {
            break;
        }
    }
}
