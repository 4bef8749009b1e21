use std::time::Duration;

use proptest::prelude::*;

use super::files::Outcome;
use super::world::World;
use crate::io::op::ShardEvent;
use crate::raw_log::write::config::{AppendMode, SyncMode};

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Post { peer: usize, records: usize, bytes: usize },
    Deliver { peer: usize, bytes: usize },
    Turn { shard: usize },
    Complete { shard: usize, place: usize, outcome: Outcome },
    Take { peer: usize },
    MakeReady { shard: usize },
    Pass { millis: u64 },
    Seal { shard: usize },
    Disconnect { peer: usize },
}

fn outcome(failures: bool) -> BoxedStrategy<Outcome> {
    let short = (0..1000usize).prop_map(Outcome::Short);
    if failures {
        prop_oneof![40 => Just(Outcome::Success), 3 => short, 2 => Just(Outcome::Failure)].boxed()
    } else {
        Just(Outcome::Success).boxed()
    }
}

fn step(failures: bool) -> impl Strategy<Value = Step> {
    let n = 0..64usize;
    prop_oneof![
        6 => (n.clone(), 0..5usize, 0..700usize).prop_map(|(peer, records, bytes)| Step::Post { peer, records, bytes }),
        6 => (n.clone(), 1..6000usize).prop_map(|(peer, bytes)| Step::Deliver { peer, bytes }),
        8 => n.clone().prop_map(|shard| Step::Turn { shard }),
        8 => (n.clone(), n.clone(), outcome(failures)).prop_map(|(shard, place, outcome)| Step::Complete { shard, place, outcome }),
        4 => n.clone().prop_map(|peer| Step::Take { peer }),
        2 => n.clone().prop_map(|shard| Step::MakeReady { shard }),
        2 => (0..600u64).prop_map(|millis| Step::Pass { millis }),
        1 => n.clone().prop_map(|shard| Step::Seal { shard }),
        1 => n.prop_map(|peer| Step::Disconnect { peer }),
    ]
}

fn run(world: &mut World, steps: Vec<Step>) {
    let shards = world.shards.len();
    for peer in 0..5 {
        world.connect(peer % shards);
    }
    for (count, step) in steps.into_iter().enumerate() {
        if world.fatal {
            return;
        }
        // A crash may come at any moment; looking at some of them is enough to meet each.
        if count % 8 == 0 {
            world.check_all_kept();
        }
        match step {
            Step::Post { peer, records, bytes } => world.post(peer % 5, records, bytes),
            Step::Deliver { peer, bytes } => {
                world.deliver(peer % 5, bytes);
            }
            Step::Turn { shard } => world.turn(shard % shards),
            Step::Complete { shard, place, outcome } => {
                let pending = world.disk[shard % shards].pending();
                if pending > 0 {
                    world.complete(shard % shards, place % pending, outcome);
                }
            }
            Step::Take { peer } => world.take_replies(peer % 5),
            Step::MakeReady { shard } => world.make_ready(shard % shards),
            Step::Pass { millis } => world.advance(Duration::from_millis(millis)),
            Step::Seal { shard } => {
                let now = world.now;
                world.shards[shard % shards].seal(now);
            }
            // Only one of the peers does, and only late: the others go on.
            Step::Disconnect { peer } => {
                if peer == 0 && !world.peers[0].closed {
                    let (shard, id, now) = (world.peers[0].shard, world.peers[0].id, world.now);
                    world.shards[shard].peer_finished(id, now);
                }
            }
        }
    }
}

fn mode() -> impl Strategy<Value = (SyncMode, AppendMode, usize)> {
    let sync = prop_oneof![
        Just(SyncMode::Always),
        Just(SyncMode::Interval(Duration::from_millis(1000))),
        Just(SyncMode::Interval(Duration::from_millis(50))),
        Just(SyncMode::Interval(Duration::from_secs(3600))),
    ];
    let append = prop_oneof![Just(AppendMode::Direct), Just(AppendMode::Buffered)];
    (sync, append, 1..5usize)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_reordered_whatever_the_order_of_completions(
        (sync, append, writes) in mode(),
        steps in prop::collection::vec(step(false), 1..300),
    ) {
        let mut world = World::new(2, sync, append, |config| config.writer.writes_in_flight_max = writes);
        run(&mut world, steps);
        world.finish();
        prop_assert!(!world.fatal);
        let rewriting = world.count_events(|event| matches!(event, ShardEvent::Rewriting { .. }));
        prop_assert_eq!(rewriting, 0);
    }

    #[test]
    fn errors_are_mended_by_writing_elsewhere_or_stop_the_shard(
        (sync, append, writes) in mode(),
        steps in prop::collection::vec(step(true), 1..300),
    ) {
        let mut world = World::new(2, sync, append, |config| config.writer.writes_in_flight_max = writes);
        run(&mut world, steps);
        world.finish();
        if world.fatal {
            // One of the shards goes no further: whatever was answered was checked when it was.
            let said = world.count_events(|event| matches!(event, ShardEvent::Fatal { .. }));
            prop_assert!(said >= 1);
        }
    }
}
