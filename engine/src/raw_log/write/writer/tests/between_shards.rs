//! What several shards do to the sequencer between two of their own steps, by schedules that a seed decides.
//!
//! Each shard has its real writer, and all share the real sequencer. A schedule may let another shard continue at each access
//! to it. `LOGTANK_SCHEDULES=N` tries N schedules, `LOGTANK_SCHEDULE=N` the one of seed N alone.

use std::sync::{Mutex, PoisonError};

use shuttle::thread;

use super::*;
use crate::mutant::{self, Mutant};
use crate::sync::schedule;

const SHARDS: u16 = 3;
/// What a shard does before the end.
const STEPS: usize = 24;

/// Just past the greatest position that was acknowledged, on any shard.
type Acknowledged = Mutex<Option<Position>>;

/// What one shard does: it takes batches, lets its drive work, closes epochs, waits for segments, and is away now and then.
fn live(mut shard: Shard, mut choices: Choices, acknowledged: &Acknowledged) -> Shard {
    let mut random = |below: u64| usize::try_from(choices.below(below)).unwrap();
    let away = |turns: usize| (0..turns).for_each(|_| thread::yield_now());
    away(random(3) * 20);
    for _ in 0..STEPS {
        match random(12) {
            0..4 => {
                let after = *acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                shard.stage(u32::try_from(1 + random(5)).unwrap(), after);
            }
            4 if shard.writer.ready.is_empty() => shard.add_ready(),
            5 => {
                shard.writer.seal(NOW, &mut shard.outbox);
                shard.outbox.events.clear();
            }
            6..8 => _ = shard.complete(random(8)),
            8 => away(random(20)),
            9 => shard.settle(),
            _ => shard.turn(),
        }
        let below = shard.writer.acknowledged();
        let answered = shard.places().filter(|(batch, _)| batch.number < below);
        let greatest = answered.map(|(batch, first)| first.advanced(batch.records)).max();
        let mut all = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        *all = greatest.max(*all);
    }
    shard
}

/// Three shards that live side by side. At the end each has what it needs, and all is sealed.
fn scenario(seed: u64) {
    let (sequencer, shards) = host(SHARDS);
    let acknowledged = Arc::new(Acknowledged::default());
    let lives = (seed * u64::from(SHARDS)..).zip(shards).map(|(seed, shard)| {
        let acknowledged = acknowledged.clone();
        thread::spawn(move || live(shard, Choices(seed), &acknowledged))
    });
    let lives: Vec<_> = lives.collect();
    let mut shards: Vec<Shard> = lives.into_iter().map(|life| life.join().unwrap()).collect();
    for _ in 0..4 {
        for shard in &mut shards {
            if shard.writer.ready.is_empty() {
                shard.add_ready();
            }
            shard.settle();
            shard.writer.seal(NOW, &mut shard.outbox);
        }
    }
    assert!(shards.iter().all(|shard| shard.writer.is_idle()), "all is written and sealed");
    check(&shards, &sequencer, "at the end");
    check_seals(&shards);
}

/// Each segment's seal says how many records its epoch has, over all shards, and which epoch was closed before: or the epoch
/// would never be complete.
fn check_seals(shards: &[Shard]) {
    let mut epochs: BTreeMap<Epoch, u32> = BTreeMap::new();
    for frame in shards.iter().flat_map(|shard| &shard.frames) {
        *epochs.entry(frame.first.epoch()).or_default() += frame.records;
    }
    for seal in shards.iter().flat_map(|shard| &shard.seals) {
        assert_eq!(seal.epoch_records, epochs.get(&seal.epoch).copied(), "records of epoch {}", seal.epoch);
        let previous = epochs.range(..seal.epoch).next_back().map(|(&epoch, _)| epoch);
        assert_eq!(seal.previous, previous, "what was closed before epoch {}", seal.epoch);
    }
    for (number, shard) in shards.iter().enumerate() {
        assert_eq!(shard.seals.len(), shard.headers.len(), "each segment of shard {number} is sealed");
    }
}

/// The first of so many schedules by which a promise is broken, and how.
fn first_broken(schedules: impl Iterator<Item = u64>) -> Option<(u64, String)> {
    schedules
        .map(|seed| (seed, schedule::run(seed, move || scenario(seed))))
        .find_map(|(seed, ended)| Some((seed, ended.err()?)))
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number of schedules, or of one"))
}

#[test]
fn no_schedule_of_the_shards_breaks_an_epoch() {
    let from = number("LOGTANK_SCHEDULE");
    let first = from.unwrap_or(0);
    let count = if from.is_some() { 1 } else { number("LOGTANK_SCHEDULES").unwrap_or(2_000) };
    assert_eq!(first_broken(first..first + count), None);
}

#[test]
fn each_deliberate_bug_between_shards_is_met() {
    for bug in Mutant::BETWEEN_SHARDS {
        mutant::throw(Some(bug));
        let broken = first_broken(0..2_000);
        mutant::throw(None);
        let (seed, how) = broken.unwrap_or_else(|| panic!("{bug:?} is met by no schedule"));
        println!("{bug:?}: schedule {seed}: {how}");
    }
}
