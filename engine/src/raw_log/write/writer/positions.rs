//! The positions of this stream's frames, and which epochs it may still ask for.

use std::sync::Arc;

use crate::ids::{Epoch, Position, ShardId};
use crate::io::op::{Outbox, ShardEvent};
use crate::mutant::{bug, or_bug};
use crate::sequencer::Sequencer;
use crate::time::{MonoNanos, WallMillis};

/// Positions in a row, taken for one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    pub(super) first: Position,
    pub(super) records: u32,
}

/// One shard's side of the sequencer.
#[derive(Debug)]
pub(super) struct Positions {
    sequencer: Arc<Sequencer>,
    shard: ShardId,
    /// What was taken for the first staged frame, whose epoch has no segment yet.
    reserved: Option<Reserved>,
    /// First position of the frame that got its place last, and when it did.
    last_placed: Option<Position>,
    last_placed_at: MonoNanos,
    /// What the sequencer was told last.
    needs_from: Option<Epoch>,
}

impl Positions {
    pub(super) const fn new(sequencer: Arc<Sequencer>, shard: ShardId) -> Self {
        Self {
            sequencer,
            shard,
            reserved: None,
            last_placed: None,
            last_placed_at: MonoNanos(0),
            needs_from: None,
        }
    }

    /// The epoch whose positions are handed out.
    pub(super) fn epoch(&self) -> Epoch {
        self.sequencer.next().epoch()
    }

    /// Closes `epoch`, if it is open and has records (of whichever shard).
    pub(super) fn close(&self, epoch: Epoch, now: WallMillis, outbox: &mut Outbox) {
        let now_open = self.sequencer.close(epoch, now);
        if now_open > epoch {
            outbox.events.push_back(ShardEvent::EpochClosed { now_open });
        }
    }

    /// How many positions `epoch` handed out, if it is closed, and which one was closed before it.
    pub(super) fn end_of(&self, epoch: Epoch) -> (Option<u32>, Option<Epoch>) {
        (self.sequencer.records_of(epoch), self.sequencer.before(epoch))
    }

    /// What is reserved for the first staged frame.
    pub(super) fn reserved(&self) -> Option<Reserved> {
        or_bug!(PositionsGivenUp, self.reserved, None)
    }

    /// Takes positions for the first staged frame, which has so many records and no positions yet.
    pub(super) fn reserve(&mut self, records: u32) -> Reserved {
        let reserved = Reserved { first: self.sequencer.reserve(records), records };
        self.reserved = Some(reserved);
        reserved
    }

    /// The first staged frame gets its place: what was reserved for it.
    ///
    /// # Panics
    /// If that is nothing.
    pub(super) fn place(&mut self, now: MonoNanos) -> Reserved {
        let reserved = self.reserved.take().expect("the first frame has its positions");
        self.last_placed = Some(reserved.first);
        self.last_placed_at = now;
        reserved
    }

    /// First position of the frame that got its place last.
    pub(super) const fn last_placed(&self) -> Option<Position> {
        self.last_placed
    }

    /// When that frame got it; zero if there was none.
    pub(super) const fn last_placed_at(&self) -> MonoNanos {
        self.last_placed_at
    }

    /// Tells the sequencer which closed epochs this stream may still ask for, where `oldest` is that of its oldest segment:
    /// before positions are reserved, so that none of theirs is forgotten.
    pub(super) fn tell_needed(&mut self, oldest: Option<Epoch>) {
        let reserved = self.reserved.map(|reserved| reserved.first.epoch());
        let oldest = oldest.into_iter().chain(reserved).min().unwrap_or_else(|| self.epoch());
        let says = self.last_placed.is_some() || !bug!(JoinedUnsaid);
        if self.needs_from != Some(oldest) && says {
            self.needs_from = Some(oldest);
            self.sequencer.needs_from(self.shard, oldest);
        }
    }
}
