//! The one thing that cores share on the hot path: an atomic that hands out positions.
//!
//! A batch that is sent after another's reply reserves after it, so its position is greater, whichever cores
//! the two are on. Sealing moves the same atomic on to the next epoch, so no position of the old epoch can be
//! handed out after one of the new.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use crate::ids::{Epoch, Position, ShardId};
use crate::left_out::or_left_out;
use crate::limits;
use crate::mutant::or_bug;
use crate::sync::{AtomicU64, Locked, Mutex};
use crate::time::WallMillis;

/// Hands out positions to all shards of a host.
#[derive(Debug)]
pub struct Sequencer {
    next: AtomicU64,
    // How many ordinals each closed epoch handed out. Off the hot path: written once an epoch, read once a
    // shard and epoch.
    closed: Mutex<Closed>,
    /// The epoch that this one begins with, and the last one of the process before, so that the first to be sealed names it:
    /// where files of it are missing later, they show.
    first: Epoch,
    before_first: Option<Epoch>,
    /// Another shard closes the epoch just before the next reservation.
    #[cfg(test)]
    closes_before_reserve: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct Closed {
    records: BTreeMap<Epoch, u32>,
    /// The oldest epoch that each shard may still ask for.
    needed: BTreeMap<ShardId, Epoch>,
}

impl Sequencer {
    /// Starts in `epoch`, which must be greater than each epoch on disk.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self::after(None, epoch)
    }

    /// Starts in `epoch`, where the last one of an earlier process is `previous`.
    #[must_use]
    pub fn after(previous: Option<Epoch>, epoch: Epoch) -> Self {
        Self {
            first: epoch,
            before_first: previous,
            next: AtomicU64::new(Position::new(epoch, 0).packed()),
            closed: Mutex::default(),
            #[cfg(test)]
            closes_before_reserve: false.into(),
        }
    }

    /// The next position to be handed out: every record acknowledged so far lies before it.
    #[must_use]
    pub fn next(&self) -> Position {
        Position::from_packed(self.next.load(Ordering::Acquire))
    }

    /// Takes `records` positions in a row; returns the first.
    ///
    /// # Panics
    /// If `records` is zero or more than [`limits::FRAME_RECORDS_MAX`].
    pub fn reserve(&self, records: u32) -> Position {
        assert!((1..=limits::FRAME_RECORDS_MAX).contains(&records), "reservation out of range");
        #[cfg(test)]
        if self.closes_before_reserve.swap(false, Ordering::AcqRel) {
            self.close(self.next().epoch(), WallMillis(0));
        }
        let take = || self.next.fetch_add(u64::from(records), Ordering::AcqRel);
        let take = || or_bug!(PositionsTakenApart, take(), self.take_alone(records));
        Position::from_packed(or_left_out!(Positions, take(), self.take_alone(records)))
    }

    /// As no other shard is there to do it, too.
    fn take_alone(&self, records: u32) -> u64 {
        let first = self.next.load(Ordering::Relaxed);
        self.next.store(first + u64::from(records), Ordering::Relaxed);
        first
    }

    /// Has the epoch closed as by another shard, just before positions are taken the next time.
    #[cfg(test)]
    pub(crate) fn close_before_reserve(&self) {
        self.closes_before_reserve.store(true, Ordering::Release);
    }

    /// Ends `epoch` if it is the current one: positions handed out from now on are of a later one. Returns
    /// the current epoch. All shards may ask at once; one of them does it. An epoch that has handed out
    /// nothing stays open.
    ///
    /// # Panics
    /// If another thread panicked while holding the table of closed epochs.
    pub fn close(&self, epoch: Epoch, now: WallMillis) -> Epoch {
        // Under the lock, so that whoever sees the new epoch can also learn the old one's record count.
        let mut closed = self.closed();
        loop {
            let current = self.next();
            if current.epoch() != epoch || current.ordinal() == 0 {
                return current.epoch();
            }
            let opened = Position::new(epoch.successor(now), 0);
            let (seen, opens) = (current.packed(), opened.packed());
            let swap =
                || self.next.compare_exchange(seen, opens, Ordering::AcqRel, Ordering::Acquire).is_ok();
            if or_bug!(ClosedUnseen, swap(), self.next.swap(opens, Ordering::AcqRel) > 0) {
                closed = or_bug!(CountedLate, closed, (drop(closed), self.closed()).1);
                closed.records.insert(epoch, current.ordinal());
                return opened.epoch();
            }
        }
    }

    fn closed(&self) -> Locked<'_, Closed> {
        self.closed.lock().expect("nobody panics while holding it")
    }

    /// How many positions a closed epoch handed out; `None` if it is open or was forgotten.
    ///
    /// # Panics
    /// If another thread panicked while holding the table of closed epochs.
    pub fn records_of(&self, epoch: Epoch) -> Option<u32> {
        self.closed().records.get(&epoch).copied()
    }

    /// The epoch that was closed before `epoch`, by this process or an earlier one; `None` if there was none, or it was
    /// forgotten.
    ///
    /// # Panics
    /// If another thread panicked while holding the table of closed epochs.
    pub fn before(&self, epoch: Epoch) -> Option<Epoch> {
        if epoch == self.first {
            return self.before_first;
        }
        let closed = self.closed();
        closed.records.range(..epoch).next_back().map(|(previous, _)| *previous)
    }

    /// A shard says which epoch is the oldest that it has, or may yet have, records in; never one before what it said
    /// last. It must say so before it reserves for the first time. Closed epochs that no shard needs are forgotten, but
    /// for one: the next may have to tell its predecessor.
    ///
    /// # Panics
    /// If another thread panicked while holding the table of closed epochs.
    pub fn needs_from(&self, shard: ShardId, epoch: Epoch) {
        let mut closed = self.closed();
        let before = closed.needed.insert(shard, epoch);
        assert!(before.is_none_or(|before| before <= epoch), "{shard} needs an epoch again");
        let oldest = closed.needed.values().min().copied().unwrap_or(epoch);
        if let Some((&kept, _)) = closed.records.range(..oldest).next_back() {
            closed.records = closed.records.split_off(&kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_dense_in_an_epoch_and_grow_over_its_end() {
        let first = Epoch::new(100).unwrap();
        let sequencer = Sequencer::new(first);
        assert_eq!(sequencer.close(first, WallMillis(500)), first, "an empty epoch stays open");
        assert_eq!(sequencer.reserve(3), Position::new(first, 0));
        assert_eq!(sequencer.reserve(1), Position::new(first, 3));
        assert_eq!(sequencer.records_of(first), None);
        let second = sequencer.close(first, WallMillis(50));
        assert_eq!(second.millis(), 101, "the clock went back, the epoch did not");
        assert_eq!(sequencer.close(first, WallMillis(900)), second, "only the first request closes");
        assert_eq!(sequencer.records_of(first), Some(4));
        assert_eq!(sequencer.reserve(1), Position::new(second, 0));
        assert_eq!((sequencer.before(first), sequencer.before(second)), (None, Some(first)));
    }

    #[test]
    fn a_closed_epoch_is_remembered_while_a_shard_needs_it_or_its_successor() {
        let first = Epoch::new(1).unwrap();
        let sequencer = Sequencer::new(first);
        (0..2).for_each(|shard| sequencer.needs_from(ShardId(shard), first));
        let epochs: Vec<Epoch> = (0..5)
            .map(|_| {
                let epoch = sequencer.reserve(1).epoch();
                sequencer.close(epoch, WallMillis(0));
                epoch
            })
            .collect();
        let known = || epochs.iter().map(|&epoch| sequencer.records_of(epoch).is_some()).collect::<Vec<_>>();
        sequencer.needs_from(ShardId(0), epochs[4]);
        assert_eq!(known(), [true; 5], "the other shard has not sealed the first");
        sequencer.needs_from(ShardId(1), epochs[3]);
        assert_eq!(known(), [false, false, true, true, true]);
        assert_eq!(sequencer.before(epochs[3]), Some(epochs[2]));
        (0..2).for_each(|shard| sequencer.needs_from(ShardId(shard), sequencer.next().epoch()));
        assert_eq!(known(), [false, false, false, false, true]);
    }

    #[test]
    fn no_ordinal_is_handed_out_twice_or_left_out_while_threads_race_with_closing() {
        let sequencer = Sequencer::new(Epoch::new(1).unwrap());
        let mut taken: Vec<(Position, u32)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let sequencer = &sequencer;
                    scope.spawn(move || {
                        let mut taken = Vec::new();
                        for round in 0..2_000u32 {
                            let records = round % 5 + 1;
                            taken.push((sequencer.reserve(records), records));
                            if round % 97 == thread {
                                sequencer.close(sequencer.next().epoch(), WallMillis(0));
                            }
                        }
                        taken
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        taken.sort();
        let mut expected = taken[0].0;
        for (first, records) in taken {
            if first.epoch() != expected.epoch() {
                assert_eq!(sequencer.records_of(expected.epoch()), Some(expected.ordinal()));
                expected = Position::new(first.epoch(), 0);
            }
            assert_eq!(first, expected);
            expected = expected.advanced(records);
        }
    }
}
