use std::time::Duration;

use super::files::Outcome;
use super::world::World;
use crate::io::op::ShardEvent;
use crate::raw_log::write::config::{AppendMode, SyncMode};
use crate::shard::Received;
use crate::testing::Choices;

const SECOND: Duration = Duration::from_secs(1);

fn world(adjust: impl Fn(&mut crate::shard::ShardConfig)) -> World {
    let mut world = World::new(1, SyncMode::Interval(SECOND), AppendMode::Direct, adjust);
    world.connect(0);
    world.settle();
    world
}

#[test]
fn memory_stays_bounded_when_the_drive_stands_still_and_all_is_taken_when_it_moves() {
    let mut world = world(|_| {});
    for _ in 0..500 {
        world.post(0, 2, 900);
    }
    let mut stalled = 0;
    for _ in 0..500 {
        stalled += usize::from(world.deliver(0, 3000) == Received::Stalled);
        world.turn(0);
    }
    assert!(stalled > 0 && !world.shards[0].may_receive());
    let metrics = &world.metrics[0];
    let held = metrics.staged_bytes.get() + metrics.unsynced_bytes.get();
    assert!(held <= 256 * 1024, "{held}");
    world.look_on = false;
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 1000);
}

#[test]
fn batches_wait_for_room_until_the_host_has_looked() {
    let asked = |world: &World| world.count_events(|event| *event == ShardEvent::NeedRoom);
    for allowed in [true, false] {
        let mut world = world(|_| {});
        world.ledger.allow(Some(0));
        world.post(0, 1, 100);
        world.post(0, 1, 100);
        for _ in 0..2 {
            assert_eq!(world.deliver(0, usize::MAX), Received::Stalled);
            world.turn(0);
        }
        assert!(asked(&world) == 1 && !world.shards[0].may_receive(), "it asks once");
        if allowed {
            world.ledger.allow(Some(1 << 20));
        }
        world.shards[0].appends_allowed(allowed);
        assert!(world.shards[0].may_receive());
        world.finish();
        assert_eq!(world.peers[0].acknowledged.len(), if allowed { 2 } else { 0 });
        assert_eq!(world.peers[0].errors.len(), if allowed { 0 } else { 2 }, "an answer either way");
    }
}

#[test]
fn a_shard_takes_no_more_than_there_is_room_for() {
    let mut world = world(|_| {});
    let bound = 100_000;
    world.ledger.allow(Some(bound));
    for _ in 0..500 {
        world.post(0, 1, 900);
    }
    while world.deliver(0, 3_000) == Received::All {
        world.turn(0);
    }
    let taken = world.metrics[0].staged_bytes.get() + world.metrics[0].frame_bytes.get();
    assert!(taken <= bound && taken > bound / 2, "{taken}");
    world.ledger.allow(None);
    world.shards[0].appends_allowed(true);
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 500);
    world.ledger.saw(world.ledger.sealed(), 0, 0);
    assert_eq!(world.ledger.promised(), 0, "what is sealed and dealt is promised no more");
}

/// Three shards get so many segments, take batches and end each other's epochs in any order, until no more are made; what each of
/// them has in memory then, and how many batches they took.
fn in_memory_without_segments(seed: u64, keep: bool) -> (Vec<u64>, usize) {
    let mut world = World::new(3, SyncMode::Interval(SECOND), AppendMode::Direct, |_| {});
    world.ledger.keep_to_segments(keep);
    for peer in 0..3 {
        world.connect(peer);
        (0..60).for_each(|_| world.post(peer, 1, 900));
    }
    let mut choices = Choices(seed);
    let mut left = choices.below(8);
    for _ in 0..200 {
        let shard = choices.below(3) as usize;
        match choices.below(12) {
            // Nobody comes between the batches that a shard receives and its turn.
            0..=5 => drop(world.deliver(shard, choices.below(8_000) as usize)),
            6..=9 if world.disk[shard].pending() > 0 => world.complete(shard, 0, Outcome::Success),
            10 if left > 0 && world.wanted[shard] > 0 => {
                left -= 1;
                world.make_ready(shard);
            }
            11 if choices.below(4) == 0 => world.shards[shard].seal(world.now),
            _ => {}
        }
        world.turn(shard);
    }
    world.settle_disk();
    let waits: Vec<_> = world.metrics.iter().map(|metrics| metrics.staged_bytes.get()).collect();
    world.look_on = false;
    world.finish();
    (waits, world.peers.iter().map(|peer| peer.acknowledged.len()).sum())
}

#[test]
fn no_batch_waits_in_memory_for_a_segment_that_may_not_come() {
    let mut waited = 0;
    for seed in 0..60 {
        let (waits, taken) = in_memory_without_segments(seed, true);
        assert_eq!(waits, [0; 3], "seed {seed}");
        assert_eq!(taken, 180, "all are taken when segments come");
        waited += usize::from(in_memory_without_segments(seed, false).0 != [0; 3]);
    }
    assert!(waited > 20, "only {waited} would have had batches wait");
}

#[test]
fn batches_that_have_a_place_are_taken_and_no_others() {
    let mut world = World::new(1, SyncMode::Interval(SECOND), AppendMode::Direct, |_| {});
    world.connect(0);
    world.ledger.keep_to_segments(true);
    (0..100).for_each(|_| world.post(0, 1, 900));
    assert_eq!(world.deliver(0, usize::MAX), Received::Stalled, "there is no segment");
    assert_eq!(world.metrics[0].staged_bytes.get(), 0);
    assert_eq!(world.count_events(|event| *event == ShardEvent::NeedRoom), 0, "nobody has to look");
    world.turn(0);
    world.make_ready(0);
    assert!(world.shards[0].may_receive());
    assert_eq!(world.deliver(0, usize::MAX), Received::Stalled);
    world.settle_disk();
    let placed = world.metrics[0].frame_bytes.get();
    assert!((24_000..=36_000).contains(&placed), "a segment of 32 KiB is filled: {placed}");
    assert_eq!(world.metrics[0].staged_bytes.get(), 0);
    world.shards[0].appends_allowed(false);
    world.deliver(0, usize::MAX);
    world.settle_disk();
    assert!(!world.peers[0].errors.is_empty(), "refused rather than kept waiting");
}

#[test]
fn a_shard_gives_back_what_it_has_besides_one_segment() {
    let mut world = World::new(1, SyncMode::Interval(SECOND), AppendMode::Direct, |_| {});
    world.connect(0);
    world.turn(0);
    let gave = |world: &World| world.count_events(|event| matches!(event, ShardEvent::GaveBack { .. }));
    world.make_ready(0);
    world.shards[0].give_back();
    world.turn(0);
    assert_eq!(gave(&world), 0, "the only one is for the next epoch");
    world.make_ready(0);
    world.turn(0);
    assert_eq!(world.wanted[0], 0);
    for _ in 0..2 {
        world.shards[0].give_back();
        world.turn(0);
        assert_eq!(gave(&world), 1);
        assert_eq!(world.metrics[0].ready_segments.get(), 1);
        assert_eq!(world.wanted[0], 1, "it wants another one when there is room");
    }
    (0..50).for_each(|_| world.post(0, 1, 900));
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 50);
}

#[test]
fn waiting_replies_are_bounded_too() {
    let mut world = world(|config| config.waiters_max = 10);
    for _ in 0..50 {
        world.post(0, 1, 1);
    }
    assert_eq!(world.deliver(0, usize::MAX), Received::Stalled);
    assert_eq!(world.metrics[0].stalls.get(), 1);
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 50);
}

#[test]
fn a_peer_that_does_not_take_its_replies_is_not_read_until_it_does() {
    let mut world = world(|config| config.reply_bytes_max = 1000);
    for _ in 0..100 {
        world.post_records(0, Vec::new(), &[]);
    }
    world.deliver(0, usize::MAX);
    world.turn(0);
    assert!(world.peers[0].paused);
    world.take_replies(0);
    world.turn(0);
    assert!(!world.peers[0].paused);
    world.finish();
}

#[test]
fn a_message_has_to_be_finished_in_time_but_a_busy_connection_is_no_slow_one() {
    let mut world = world(|config| config.message_timeout = 5 * SECOND);
    let slow = world.connect(0);
    world.post_bytes(slow, b"\x80\x01\x00");
    world.deliver(slow, usize::MAX);
    // The other always has the next message begun when one ends.
    for _ in 0..100 {
        world.post(0, 1, 500);
    }
    for _ in 0..12 {
        world.deliver(0, 700);
        world.advance(SECOND / 2);
        world.settle_disk();
    }
    assert!(world.peers[slow].closed);
    assert!(!world.peers[0].closed);
    assert_eq!(world.metrics[0].connections_timed_out.get(), 1);
}

#[test]
fn idle_connections_are_kept_unless_told_otherwise() {
    for (idle_timeout, closed) in [(None, false), (Some(60 * SECOND), true)] {
        let mut world = world(|config| config.idle_timeout = idle_timeout);
        world.advance(3600 * SECOND);
        world.turn(0);
        assert_eq!(world.peers[0].closed, closed);
    }
}

#[test]
fn partly_received_messages_are_bounded_in_all() {
    let mut world = world(|config| config.limits.in_flight_bytes_max = 8192);
    let peers: Vec<_> = (0..4).map(|_| world.connect(0)).collect();
    for &peer in &peers {
        world.post(peer, 1, 2000);
        world.post(peer, 1, 2000);
        world.post(peer, 1, 1800);
        // Two are refused for their length; of the last one, a part stays.
        let all = usize::MAX;
        world.deliver(peer, all);
    }
    for &peer in &peers {
        world.post_bytes(peer, b"\x80\x01\x00\x01\x00\x00\x00\x0asend_batch\x00\x00\x00\x09\x0c\x00\x01\x0f\x00\x01\x0c\x00\x00\x00\x01\x0b\x00\x03\x00\x00\x0f\xa0");
        world.post_bytes(peer, &[b'i'; 3000]);
        world.deliver(peer, usize::MAX);
    }
    world.turn(0);
    assert!(world.metrics[0].connections_shed.get() >= 1, "four times 3000 are more than 8192");
    assert!(world.metrics[0].in_flight_bytes.get() <= 8192);
}

#[test]
fn who_stands_still_is_shed_and_not_who_sends_next() {
    let mut world = world(|config| config.limits.in_flight_bytes_max = 8192);
    let start = b"\x80\x01\x00\x01\x00\x00\x00\x0asend_batch\x00\x00\x00\x09\x0c\x00\x01\x0f\x00\x01\x0c\x00\x00\x00\x01\x0b\x00\x03\x00\x00\x0f\xa0";
    let still: Vec<_> = (0..2).map(|_| world.connect(0)).collect();
    for &peer in &still {
        world.post_bytes(peer, start);
        world.post_bytes(peer, &[b'i'; 3000]);
        world.deliver(peer, usize::MAX);
    }
    assert_eq!(world.metrics[0].connections_shed.get(), 0);
    world.advance(SECOND);
    let honest = world.connect(0);
    world.post_bytes(honest, start);
    world.post_bytes(honest, &[b'i'; 3500]);
    world.deliver(honest, usize::MAX);
    world.turn(0);
    assert_eq!(world.metrics[0].connections_shed.get(), 1, "one was enough");
    assert!(!world.peers[honest].closed, "it holds more, but has only begun");
    assert_eq!(still.iter().filter(|&&peer| world.peers[peer].closed).count(), 1);
}

#[test]
fn a_peer_that_finishes_gets_what_it_is_owed_first() {
    let mut world = world(|_| {});
    world.post(0, 1, 10);
    world.deliver(0, usize::MAX);
    let (id, now) = (world.peers[0].id, world.now);
    world.shards[0].peer_finished(id, now);
    world.turn(0);
    assert!(!world.peers[0].closed);
    world.settle();
    assert!(world.peers[0].closed);
    assert_eq!(world.peers[0].acknowledged.len(), 1);
}

#[test]
fn what_the_driver_keeps_of_a_peer_counts_and_is_shed() {
    let mut world = world(|config| config.limits.in_flight_bytes_max = 8192);
    let peers: Vec<_> = (0..3).map(|_| world.connect(0)).collect();
    let hold = |world: &mut World, place: usize, bytes| {
        let (id, now) = (world.peers[peers[place]].id, world.now);
        world.shards[0].begun(id, now);
        world.shards[0].holds(id, bytes, now);
        world.turn(0);
    };
    hold(&mut world, 0, 3000);
    world.advance(SECOND);
    hold(&mut world, 1, 3000);
    assert_eq!(world.metrics[0].in_flight_bytes.get(), 6000);
    hold(&mut world, 2, 4000);
    assert!(world.peers[peers[0]].closed, "it has held them for longest");
    assert!(!world.peers[peers[1]].closed && !world.peers[peers[2]].closed);
    assert_eq!(world.metrics[0].in_flight_bytes.get(), 7000);
    // Whoever lets go of what it held is not counted any more; whoever is closed neither.
    hold(&mut world, 1, 0);
    hold(&mut world, 0, 5000);
    assert_eq!(world.metrics[0].in_flight_bytes.get(), 4000);
    let id = world.peers[peers[2]].id;
    world.shards[0].shed_one(id);
    world.shards[0].shed_one(id);
    world.turn(0);
    assert!(world.peers[peers[2]].closed);
    assert_eq!(world.metrics[0].connections_shed.get(), 2, "each once");
    assert_eq!(world.metrics[0].in_flight_bytes.get(), 0);
}
