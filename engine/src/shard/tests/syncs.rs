use std::time::Duration;

use super::files::Outcome;
use super::world::World;
use crate::io::op::{Op, ShardEvent};
use crate::raw_log::write::config::{AppendMode, SyncMode};

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: SyncMode = SyncMode::Interval(SECOND);

/// One shard that has its segments, and one peer.
fn world(sync: SyncMode) -> World {
    world_with(sync, AppendMode::Direct)
}

fn world_with(sync: SyncMode, append: AppendMode) -> World {
    // More than by default, so that several end in any order.
    let mut world = World::new(1, sync, append, |config| config.writer.writes_in_flight_max = 4);
    world.connect(0);
    world.settle();
    world
}

fn append(world: &mut World) {
    world.post(0, 1, 100);
    world.deliver(0, usize::MAX);
    world.turn(0);
}

fn complete_writes(world: &mut World) {
    while let Some(place) = (0..world.disk[0].pending()).find(|&place| !world.disk[0].pending_is_sync(place))
    {
        world.complete(0, place, Outcome::Success);
    }
    world.turn(0);
}

fn append_one_and_write(world: &mut World) {
    append(world);
    complete_writes(world);
}

fn acknowledged(world: &mut World) -> usize {
    world.turn(0);
    world.take_replies(0);
    world.peers[0].acknowledged.len()
}

fn syncing(world: &World) -> bool {
    (0..world.disk[0].pending()).any(|place| world.disk[0].pending_is_sync(place))
}

#[test]
fn always_past_the_page_cache_answers_when_a_write_that_is_durable_in_itself_is_complete() {
    let mut world = world(SyncMode::Always);
    (0..3).for_each(|_| append(&mut world));
    assert_eq!(world.disk[0].pending(), 4, "the segment's header, three frames, no sync");
    assert!(!syncing(&world));
    world.complete(0, 2, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 0, "durable, but not in a row");
    world.complete(0, 1, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 0, "without its header nothing in the file is");
    world.complete(0, 0, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 2);
    world.complete(0, 0, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 3);
    assert!(!syncing(&world), "nothing is left to sync");
    world.finish();
}

#[test]
fn always_past_the_page_cache_rewrites_what_followed_a_write_that_failed() {
    let mut world = world(SyncMode::Always);
    (0..3).for_each(|_| append(&mut world));
    world.complete(0, 1, Outcome::Failure);
    world.complete(0, 0, Outcome::Success);
    world.complete(0, 0, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 0, "nothing in a file that failed counts any more");
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 3);
}

#[test]
fn always_through_the_page_cache_answers_after_the_sync_and_syncs_what_gathered_meanwhile_together() {
    let mut world = world_with(SyncMode::Always, AppendMode::Buffered);
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 0, "written is not enough");
    assert!(syncing(&world));
    for _ in 0..3 {
        append(&mut world);
        complete_writes(&mut world);
    }
    assert_eq!(world.disk[0].pending(), 1, "one sync at a time");
    world.complete(0, 0, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 1);
    assert!(syncing(&world));
    world.complete(0, 0, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 4, "one sync for three");
}

#[test]
fn interval_answers_when_written_and_a_sync_begins_before_the_interval_is_over() {
    let mut world = world(INTERVAL);
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 1);
    assert!(!syncing(&world));
    let began = world.now.mono;
    // Appends in between do not put it off.
    for _ in 0..4 {
        world.advance(Duration::from_millis(200));
        append(&mut world);
        complete_writes(&mut world);
    }
    assert!(!syncing(&world));
    let due = world.shards[0].deadline().unwrap();
    assert!(
        due.since(began) < SECOND && due.since(began) >= Duration::from_millis(850),
        "{:?}",
        due.since(began)
    );
    world.now.mono = due;
    world.turn(0);
    assert!(syncing(&world));
}

#[test]
fn when_the_drive_stalls_acknowledging_stops_at_the_interval_and_goes_on_after_the_sync() {
    let mut world = world(INTERVAL);
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 1);
    world.advance(Duration::from_millis(950));
    world.turn(0);
    assert!(syncing(&world));
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 2, "the interval is not over");
    world.advance(Duration::from_millis(100));
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 2, "written, but the oldest is older than the interval");
    world.complete(0, 0, Outcome::Success);
    assert_eq!(acknowledged(&mut world), 3);
    world.finish();
}

#[test]
fn many_unsynced_bytes_begin_a_sync_at_once() {
    let mut world = world(INTERVAL);
    for _ in 0..40 {
        append(&mut world);
        complete_writes(&mut world);
    }
    assert!(syncing(&world), "40 frames of 4 KiB, half of 256 KiB is 32");
    world.finish();
}

#[test]
fn a_failed_sync_is_never_repeated_its_frames_are_written_elsewhere() {
    for sync in [SyncMode::Always, INTERVAL] {
        let mut world = world_with(sync, AppendMode::Buffered);
        append(&mut world);
        complete_writes(&mut world);
        world.advance(SECOND);
        world.turn(0);
        assert!(syncing(&world));
        world.complete(0, 0, Outcome::Failure);
        world.turn(0);
        assert!(!syncing(&world), "not again on that file");
        complete_writes(&mut world);
        assert!(syncing(&world), "the next part is, at once: its frames are as old as before");
        world.finish();
        assert!(!world.fatal);
        assert_eq!(world.peers[0].acknowledged.len(), 1);
        let events = |wanted: fn(&ShardEvent) -> bool| world.count_events(wanted);
        assert_eq!(events(|event| matches!(event, ShardEvent::Rewriting { .. })), 1);
        assert_eq!(
            events(|event| matches!(event, ShardEvent::Abandoned { part: 0, .. })),
            1,
            "nothing durable in it"
        );
        assert_eq!(events(|event| matches!(event, ShardEvent::Sealed { part: 1, .. })), 1);
    }
}

#[test]
fn a_segment_may_be_named_when_its_header_is_durable_by_the_shards_own_doing() {
    for (sync, append) in [
        (INTERVAL, AppendMode::Direct),
        (INTERVAL, AppendMode::Buffered),
        (SyncMode::Always, AppendMode::Buffered),
        (SyncMode::Always, AppendMode::Direct),
    ] {
        let mut world = world_with(sync, append);
        let claimed = |world: &World| world.count_events(|event| matches!(event, ShardEvent::Claimed { .. }));
        append_one_and_write(&mut world);
        // A write that is durable in itself needs no fdatasync.
        let durable = (sync, append) == (SyncMode::Always, AppendMode::Direct);
        assert_eq!(claimed(&world), usize::from(durable), "{sync:?} {append:?}");
        world.advance(SECOND);
        world.turn(0);
        assert_eq!(syncing(&world), !durable);
        if syncing(&world) {
            world.complete(0, 0, Outcome::Success);
            world.turn(0);
        }
        assert_eq!(claimed(&world), 1, "{sync:?} {append:?}");
        append_one_and_write(&mut world);
        world.finish();
        assert_eq!(claimed(&world), 1, "once");
    }
}

#[test]
fn a_segment_whose_first_sync_fails_gets_no_name() {
    let mut world = world(INTERVAL);
    append_one_and_write(&mut world);
    world.advance(SECOND);
    world.turn(0);
    world.complete(0, 0, Outcome::Failure);
    world.finish();
    let claimed = |wanted: u32| {
        world.count_events(|event| matches!(event, ShardEvent::Claimed { part, .. } if *part == wanted))
    };
    assert_eq!((claimed(0), claimed(1)), (0, 1));
}

#[test]
fn a_segment_that_fails_late_keeps_what_was_synced() {
    let mut world = world_with(SyncMode::Always, AppendMode::Buffered);
    append(&mut world);
    complete_writes(&mut world);
    world.complete(0, 0, Outcome::Success);
    world.turn(0);
    append(&mut world);
    assert!(!world.disk[0].pending_is_sync(0));
    world.complete(0, 0, Outcome::Failure);
    world.finish();
    let records: Vec<_> =
        world.disk[0].segments(true).iter().map(|s| (s.header.part, s.records.len())).collect();
    assert_eq!(records, [(0, 1), (1, 1)], "the first part ends where it was durable");
}

#[test]
fn a_failed_segment_is_cut_only_when_what_is_cut_off_is_durable_elsewhere() {
    let mut world = world(INTERVAL);
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 1);
    world.advance(SECOND);
    world.turn(0);
    let failing = world.disk[0].pending_file(0);
    world.complete(0, 0, Outcome::Success);
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 2, "the second is not synced");
    append(&mut world);
    world.complete(0, 0, Outcome::Failure);
    let now = world.now;
    world.shards[0].seal(now);
    world.turn(0);
    // The next part's header and frames are being written. Whoever reads now finds the second frame in the first part.
    while world.disk[0].pending() > 0 {
        let ends = world.disk[0].pending_is_sync(0);
        assert_ne!(world.disk[0].pending_file(0), failing);
        world.complete(0, 0, Outcome::Success);
        world.check_all_kept();
        world.turn(0);
        if ends {
            break;
        }
    }
    assert!(
        (0..world.disk[0].pending()).any(|place| world.disk[0].pending_file(place) == failing),
        "now it is sealed"
    );
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 3);
}

#[test]
fn a_second_failure_is_fatal_and_nothing_more_is_acknowledged() {
    let mut world = world_with(SyncMode::Always, AppendMode::Buffered);
    append(&mut world);
    complete_writes(&mut world);
    world.complete(0, 0, Outcome::Failure);
    world.turn(0);
    complete_writes(&mut world);
    assert!(syncing(&world), "the frames are written to the next part");
    world.complete(0, 0, Outcome::Failure);
    world.turn(0);
    assert!(world.fatal);
    append(&mut world);
    complete_writes(&mut world);
    assert_eq!(acknowledged(&mut world), 0);
}

#[test]
fn appends_wait_for_a_ready_segment_and_none_fails() {
    let mut world = World::new(1, SyncMode::Always, AppendMode::Buffered, |_| {});
    world.connect(0);
    append(&mut world);
    assert_eq!(world.disk[0].pending(), 0, "no place to write to");
    assert_eq!(world.wanted[0], 2);
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 1);
}

#[test]
fn an_epoch_with_records_is_closed_when_it_is_old_and_an_empty_one_is_not() {
    let mut world =
        World::new(2, INTERVAL, AppendMode::Buffered, |config| config.writer.epoch_max_age = 10 * SECOND);
    world.connect(0);
    world.connect(1);
    world.settle();
    for peer in 0..2 {
        world.post(peer, 1, 10);
        world.deliver(peer, usize::MAX);
    }
    world.settle();
    world.advance(5 * SECOND);
    world.settle();
    assert_eq!(world.count_events(|event| matches!(event, ShardEvent::Sealed { .. })), 0);
    world.advance(5 * SECOND);
    world.settle();
    assert_eq!(world.count_events(|event| matches!(event, ShardEvent::Sealed { .. })), 2, "of both shards");
    world.advance(60 * SECOND);
    world.settle();
    assert_eq!(world.count_events(|event| matches!(event, ShardEvent::Sealed { .. })), 2);
    world.finish();
}

#[test]
fn an_old_epoch_stays_open_while_batches_come_and_there_is_no_segment_to_go_on_with() {
    let mut world =
        World::new(1, INTERVAL, AppendMode::Buffered, |config| config.writer.epoch_max_age = 10 * SECOND);
    world.connect(0);
    world.turn(0);
    world.make_ready(0);
    for number in 1..=10 {
        append(&mut world);
        world.settle_disk();
        assert_eq!(acknowledged(&mut world), number, "appends go on in the segment that there is");
        world.advance(4 * SECOND);
        world.settle_disk();
    }
    let sealed = |event: &ShardEvent| matches!(event, ShardEvent::Sealed { .. });
    assert_eq!(world.count_events(sealed), 0);
    let deadline = world.shards[0].deadline();
    assert!(deadline.is_none_or(|at| at > world.now.mono), "nothing to do before something happens");
    world.advance(6 * SECOND);
    world.settle_disk();
    assert_eq!(world.count_events(sealed), 1, "where no batches come, it is closed");
    world.make_ready(0);
    append(&mut world);
    world.advance(10 * SECOND);
    append(&mut world);
    world.make_ready(0);
    world.settle_disk();
    assert_eq!(world.count_events(sealed), 2, "and as soon as there is one to go on with");
    world.finish();
}

#[test]
fn a_buffered_segment_is_written_out_as_it_grows() {
    let mut world =
        World::new(1, INTERVAL, AppendMode::Buffered, |config| config.writer.write_out_bytes = 8192);
    world.connect(0);
    world.settle();
    world.post(0, 4, 900);
    world.post(0, 4, 900);
    world.post(0, 4, 900);
    world.deliver(0, usize::MAX);
    let now = world.now;
    world.shards[0].turn(now);
    let mut ranges = Vec::new();
    for _ in 0..8 {
        while let Some(op) = world.shards[0].outbox().ops.pop_front() {
            match op {
                Op::WriteOut { offset, len, .. } => ranges.push((offset, len)),
                Op::Send { .. } => {}
                other => world.disk[0].begin(other),
            }
        }
        if world.disk[0].pending() > 0 {
            world.complete(0, 0, Outcome::Success);
        }
        world.shards[0].turn(now);
    }
    assert!(
        !ranges.is_empty() && ranges[0].0 == crate::format::raw::FRAMES_OFFSET && ranges[0].1 >= 8192,
        "{ranges:?}"
    );
}
