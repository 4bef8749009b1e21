use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;
use crate::error::{DiskError, Verb};
use crate::host::port::Report;
use crate::ids::Epoch;
use crate::io::disk::DiskResult;
use crate::metrics::ShardMetrics;
use crate::raw_log::read::live::ReadyFile;
use crate::raw_log::recover::recover;
use crate::raw_log::test_support::{MemDisk, layout, raw_disk};
use crate::testing::{Hooked, ManualClock, run, store};
use crate::time::WallMillis;

/// Two shards that say what the test has them say, and then nothing until the test ends.
struct Shards {
    metrics: [ShardMetrics; 2],
    said: VecDeque<(usize, ShardEvent)>,
    until: MonoNanos,
    clock: ManualClock,
    log: Log,
}

/// What the keeper did, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.borrow_mut().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl ShardPort for Shards {
    fn shards(&self) -> usize {
        self.metrics.len()
    }

    fn metrics(&self, shard: usize) -> &ShardMetrics {
        &self.metrics[shard]
    }

    fn heard(&mut self) -> Option<(usize, ShardEvent)> {
        self.said.pop_front()
    }

    async fn hear(&mut self) -> Option<(usize, ShardEvent)> {
        if self.clock.now().mono < self.until {
            std::future::pending::<()>().await;
        }
        None
    }

    fn give(&self, shard: usize, ready: &ReadyFile) -> DiskResult<()> {
        self.log.add(format!("{} to {shard}", ready.number));
        Ok(())
    }

    fn ask_back(&self, shard: usize) {
        self.log.add(format!("back from {shard}"));
    }

    fn answer(&self, shard: usize) {
        self.log.add(format!("answer {shard}"));
    }

    fn room(&self, seen: &Seen) {
        assert!(seen.open, "there is room all the time");
    }

    fn segments(&self, missing: Option<NoSegment<'_>>) {
        if missing.is_some() {
            self.log.add("refused".to_owned());
        }
    }

    fn report(&mut self, report: Report<'_>) {
        match report {
            Report::Stocked => self.log.add("stocked".to_owned()),
            Report::Unnamed(_) => self.log.add("unnamed".to_owned()),
            _ => {}
        }
    }
}

fn limits() -> Limits {
    Limits {
        message_bytes_max: 4_096,
        record_bytes_max: 3_000,
        unsynced_bytes_max: 64 << 10,
        in_flight_bytes_max: 64 << 10,
        segment_roll_bytes: 16_384,
        ..Limits::default()
    }
}

fn wants(shard: usize, missing: usize) -> (usize, ShardEvent) {
    (shard, ShardEvent::NeedReady { missing })
}

fn claimed(ready: u64) -> (usize, ShardEvent) {
    (0, ShardEvent::Claimed { ready, epoch: Epoch::new(7).unwrap(), part: 0 })
}

/// Runs a keeper for so long over a disk whose calls fail as `hook` says.
fn keep(
    said: impl IntoIterator<Item = (usize, ShardEvent)>,
    (seconds, staged): (u64, bool),
    hook: impl Fn(Verb) -> Option<i32> + 'static,
) -> (Result<(), Unkept>, Vec<String>, ManualClock) {
    let (disk, clock, log): (MemDisk, _, _) = (raw_disk(), ManualClock::at(1), Log::default());
    let shards = Shards {
        metrics: Default::default(),
        said: said.into_iter().collect(),
        until: clock.now().mono + Duration::from_secs(seconds),
        clock: clock.clone(),
        log: log.clone(),
    };
    shards.metrics[0].staged_bytes.set(staged.into());
    let running = Rc::new(Cell::new(false));
    let disk = Hooked::new(disk, {
        let running = running.clone();
        move |verb, path| match hook(verb).filter(|_| running.get()) {
            Some(code) => Err(DiskError::new(verb, path, std::io::Error::from_raw_os_error(code))),
            None => Ok(()),
        }
    });
    let outcome = run(async {
        let store = store(&disk, &layout());
        let recovered = recover(&store, WallMillis(1), &mut |_| {}).await.unwrap();
        let around = (Indexes::Elsewhere, Arc::default());
        let keeper = Keeper::open(store, clock.clone(), shards, &limits(), &recovered, around).await.unwrap();
        running.set(true);
        keeper.run().await
    });
    (outcome, log.lines(), clock)
}

#[test]
fn the_host_opens_when_each_shard_has_a_segment() {
    let (outcome, log, _) = keep([wants(0, 2), wants(1, 2)], (1, false), |_| None);
    outcome.unwrap();
    assert_eq!(log, ["0 to 1", "1 to 0", "stocked", "2 to 1", "3 to 0"]);
}

#[test]
fn a_name_that_waits_for_a_descriptor_holds_up_nobody() {
    let (outcome, log, _) =
        keep([claimed(0), wants(1, 1)], (3, false), |verb| (verb == Verb::Open).then_some(24));
    outcome.unwrap();
    assert_eq!(log, ["unnamed", "0 to 1"], "and it is reported once");
}

#[test]
fn a_name_that_fails_ends_the_host() {
    let (outcome, ..) = keep([claimed(0)], (3, false), |verb| (verb == Verb::Open).then_some(5));
    let Err(Unkept::Unnamed { name, source }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((name.to_string(), source.is_shortage()), ("7-0-0.rawlog".to_owned(), false));
}

#[test]
fn a_broken_drive_ends_the_host_when_batches_wait() {
    let broken = |verb| (verb == Verb::Create).then_some(5);
    let (outcome, log, _) = keep([wants(0, 1)], (60, false), broken);
    outcome.unwrap();
    assert_eq!(log[..2], ["refused", "stocked"], "they are refused before the host opens");
    let (outcome, _, clock) = keep([wants(0, 1)], (60, true), broken);
    assert!(matches!(outcome, Err(Unkept::Exhausted { .. })));
    let waited = clock.now().mono.since(MonoNanos(1));
    assert!((Duration::from_secs(5)..Duration::from_secs(7)).contains(&waited), "{waited:?}");
}

#[test]
fn no_descriptor_refuses_nothing_and_ends_nothing() {
    let (outcome, log, _) = keep([wants(0, 1)], (60, true), |verb| (verb == Verb::Create).then_some(24));
    outcome.unwrap();
    assert_eq!(log, ["stocked"]);
}

#[test]
fn who_asks_for_room_is_answered_and_the_last_shard_ends_it() {
    let said = [(1, ShardEvent::NeedRoom), (1, ShardEvent::Done), wants(0, 1), (0, ShardEvent::Done)];
    let (outcome, log, clock) = keep(said, (60, false), |_| None);
    outcome.unwrap();
    assert_eq!(log, ["answer 1"], "nothing is made for a shard that is done");
    assert!(clock.now().mono.since(MonoNanos(1)) < Duration::from_secs(1));
}
