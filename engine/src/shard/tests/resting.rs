//! As many connections as may be, and those that come then.

use std::time::Duration;

use super::world::World;
use crate::raw_log::write::config::{AppendMode, SyncMode};

fn world(connections_max: usize) -> World {
    let mut world = World::new(1, SyncMode::Always, AppendMode::Direct, |config| {
        config.limits.connections_max = connections_max;
    });
    world.settle();
    world
}

fn is_closed(world: &mut World, peer: usize) -> bool {
    world.turn(0);
    world.peers[peer].closed
}

#[test]
fn who_is_in_the_middle_of_a_call_does_not_give_way() {
    let mut world = world(4);
    let [waiting, half, deaf, resting] = [(); 4].map(|()| world.connect(0));
    for peer in [waiting, half, deaf, resting] {
        world.post(peer, 1, 10);
        world.deliver(peer, usize::MAX);
        world.settle();
        world.advance(Duration::from_secs(1));
    }
    world.post(deaf, 1, 10);
    world.deliver(deaf, usize::MAX);
    world.turn(0);
    while world.disk[0].pending() > 0 {
        world.complete(0, 0, super::files::Outcome::Success);
        world.turn(0);
    }
    assert!(world.peers[deaf].sending.is_some(), "it does not take its reply");
    world.post(waiting, 1, 10);
    world.deliver(waiting, usize::MAX);
    world.turn(0);
    world.post(half, 1, 10);
    world.deliver(half, 10);

    let next = world.connect_from(1, 0).unwrap();
    assert!(is_closed(&mut world, resting), "it rested, though not for longest since its last call");
    world.post(next, 1, 10);
    world.deliver(next, 20);
    assert_eq!(world.connect_from(1, 0), None, "all are in the middle of a call");
    assert_eq!(world.metrics[0].connections_refused.get(), 1);
    assert_eq!(world.metrics[0].connections_gave_way.get(), 1);

    // Once all is answered, the one that was answered first is the one that goes.
    for peer in [half, next] {
        world.deliver(peer, usize::MAX);
    }
    world.settle();
    let acknowledged = |peer: usize| world.peers[peer].acknowledged.len();
    assert_eq!([waiting, half, deaf, resting, next].map(acknowledged), [2, 2, 2, 1, 1]);
    world.advance(Duration::from_secs(1));
    for peer in [half, waiting, next] {
        world.post(peer, 1, 10);
        world.deliver(peer, usize::MAX);
        world.settle();
    }
    world.connect_from(1, 0).unwrap();
    assert!(is_closed(&mut world, deaf));
    assert!(![waiting, half, next].into_iter().any(|peer| world.peers[peer].closed));
    world.check_all_kept();
}

#[test]
fn while_nothing_is_received_nobody_seems_to_rest() {
    let mut world = world(2);
    let [feeder, other] = [(); 2].map(|()| world.connect(0));
    let mut batches = 0;
    while world.shards[0].may_receive() {
        world.post(feeder, 1, 1000);
        world.deliver(feeder, usize::MAX);
        world.turn(0);
        batches += 1;
        assert!(batches < 10_000, "memory is bounded");
    }
    // What the other one has sent can't be seen.
    assert_eq!(world.connect_from(2, 0), None);
    world.settle();
    world.connect_from(2, 0).unwrap();
    assert!(is_closed(&mut world, other));
    assert_eq!(world.peers[feeder].acknowledged.len(), batches);
}

#[test]
fn the_address_that_has_most_gives_way_first() {
    let mut world = world(8);
    let quiet = world.connect_from(1, 0).unwrap();
    let hoarded: Vec<_> = (0..7).map(|_| world.connect_from(2, 0).unwrap()).collect();
    for address in 3..6 {
        world.connect_from(address, 0).unwrap();
    }
    world.turn(0);
    let closed: Vec<_> = hoarded.iter().filter(|peer| world.peers[**peer].closed).collect();
    assert_eq!(closed.len(), 3);
    assert!(!world.peers[quiet].closed);
}
