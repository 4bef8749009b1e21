//! What is noted of each batch, deletion and life.

use std::collections::BTreeMap;
use std::time::Duration;

use logtank_engine::ids::Position;

use super::document::Record;

/// What the host promises of what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A power cut loses nothing.
    Always,
    /// A power cut loses nothing older than this.
    Interval(Duration),
}

/// Names a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId(pub usize);

/// Names one sending of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The batch.
    pub batch: BatchId,
    pub(super) place: usize,
}

/// Names a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionId(pub(super) usize);

/// How a life of the host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process was killed, or ended by itself.
    Kill,
    /// The machine lost its power.
    Power,
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    BeThere,
    NotBeThere,
    /// Nobody knows (yet).
    Either,
}

/// A batch's records for one index.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) index: usize,
    pub(super) records: Vec<Record>,
    pub(super) must: Must,
    /// The call by which that is known.
    pub(super) since: u64,
    /// A deletion may have met it: whether it is there says nothing about losses.
    pub(super) deletion_met: bool,
}

impl Part {
    pub(super) const fn set(&mut self, must: Must, tick: u64) {
        self.must = must;
        self.since = tick;
    }
}

/// One sending.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) life: usize,
    pub(super) shard: usize,
    pub(super) begun: u64,
    /// Its place among the batches that arrived whole at its shard.
    pub(super) arrival: Option<u64>,
    pub(super) acknowledged_at: Option<u64>,
    /// The call that said so.
    pub(super) acknowledged_tick: Option<u64>,
    /// The shard said that it stores nothing of it.
    pub(super) refused: bool,
}

#[derive(Debug)]
pub(super) struct Batch {
    pub(super) parts: Vec<Part>,
    pub(super) sendings: Vec<Sending>,
    /// Where its first marker was seen on its way to the drive.
    pub(super) positions: Vec<Position>,
    /// It can't be lost any more by a power cut.
    pub(super) secured: bool,
}

impl Batch {
    /// Sendings that may be stored.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Sending> + Clone {
        self.sendings.iter().filter(|sending| !sending.refused)
    }

    /// The sending of this place, if no other one may be stored.
    pub(super) fn sent_only_as(&self, place: usize) -> Option<&Sending> {
        let mut sent = self.sent();
        let only = sent.next().filter(|_| sent.next().is_none())?;
        std::ptr::eq(only, &self.sendings[place]).then_some(only)
    }
}

#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) index: usize,
    pub(super) life: usize,
    pub(super) begun: u64,
    pub(super) ended: Option<u64>,
    /// It did not end well: it holds or not.
    pub(super) in_doubt: bool,
}

/// One life of the host, from start to crash.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) ended_at: Option<u64>,
    /// A write or a sync of the raw log failed: what a power cut takes may be older than the interval.
    pub(super) drive_failed: bool,
    /// A sync of the raw log failed: pages count as clean that the drive has not got, and are lost when memory gets scarce.
    /// A write that failed is no such excuse.
    pub(super) sync_failed: bool,
    /// An fdatasync of the raw log was slow: the loss is bounded by what was acknowledged meanwhile, not by the clock.
    pub(super) drive_slow: bool,
    /// Batches in the order in which they arrived whole, by shard.
    pub(super) arrivals: BTreeMap<usize, Vec<Attempt>>,
    pub(super) judged: bool,
}
