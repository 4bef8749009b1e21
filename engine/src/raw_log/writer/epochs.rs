//! The ends of epochs: when one is closed, and how a segment of a closed one is completed.

use super::{UnderWay, What, Writer};
use crate::format::raw::{SEAL_BYTES, SEAL_OFFSET};
use crate::ids::Epoch;
use crate::io::op::{Op, Outbox, ShardEvent};
use crate::mutant::bug;
use crate::raw_log::segment::{Phase, Segment};
use crate::time::{MonoNanos, Now};

impl Writer {
    /// Closes the current epoch, if it has records (of whichever shard).
    pub fn seal(&mut self, now: Now, outbox: &mut Outbox) {
        self.close_epoch(self.sequencer.next().epoch(), now, outbox);
    }

    /// Closes the epoch that this shard writes to, if there is one; whether there was.
    pub fn close_own_epoch(&mut self, now: Now, outbox: &mut Outbox) -> bool {
        let Some(epoch) = self.open().map(|open| open.header.epoch) else { return false };
        self.close_epoch(epoch, now, outbox);
        true
    }

    fn close_epoch(&mut self, epoch: Epoch, now: Now, outbox: &mut Outbox) {
        let now_open = self.sequencer.close(epoch, now.wall);
        if now_open > epoch {
            outbox.events.push_back(ShardEvent::EpochClosed { now_open });
        }
    }

    /// Closes the epoch of the open segment when it is old, and follows when the epoch is closed: no position of it is
    /// handed out any more, so the segment gets no further frame.
    pub(super) fn follow_epochs(&mut self, now: Now, outbox: &mut Outbox) {
        let Some(open) = self.open() else { return };
        let (epoch, old_at) = (open.header.epoch, self.old_at(open));
        if now.mono >= old_at {
            self.close_epoch(epoch, now, outbox);
        }
        if self.sequencer.next().epoch() > epoch {
            self.close_open();
        }
    }

    /// When the epoch of the open segment is old enough to be closed. While there is no segment to go on with, appends would
    /// have to wait: as long as there are any, this one takes them.
    pub(super) fn old_at(&self, open: &Segment) -> MonoNanos {
        let since = if self.ready.is_empty() { open.opened.max(self.last_placed_at) } else { open.opened };
        since + self.config.epoch_max_age
    }

    /// Closes the epoch when the open segment or the epoch's positions are full, after a frame that ended at ordinal `end`.
    pub(super) fn close_full(&mut self, epoch: Epoch, end: u32, now: Now, outbox: &mut Outbox) {
        let full = self.open().is_some_and(|open| open.end() >= self.config.segment_roll_bytes);
        if full || end >= self.config.epoch_records_seal {
            self.close_epoch(epoch, now, outbox);
            self.follow_epochs(now, outbox);
        }
    }

    /// The open segment gets no further frame.
    pub(super) fn close_open(&mut self) {
        if let Some(open) = self.segments.back_mut().filter(|segment| segment.phase == Phase::Open) {
            open.phase = Phase::Closing;
        }
    }

    /// Completes what can be completed: closing segments are synced, then sealed; superseded ones sealed or abandoned.
    pub(super) fn advance_segments(&mut self, now: Now, outbox: &mut Outbox) {
        for place in 0..self.segments.len() {
            let segment = &self.segments[place];
            if self.in_flight.is_full() {
                return;
            }
            if segment.under_way > 0 {
                continue;
            }
            match segment.phase {
                Phase::Closing if segment.has_waiting() => {}
                Phase::Closing if segment.has_unsynced() => self.begin_sync(place, now, outbox),
                // A seal says that nothing is missing before it (see the recovery's chain).
                Phase::Closing if self.is_unsynced_before(place) => {}
                Phase::Closing => self.begin_seal(place, now, outbox),
                Phase::Superseded(end) if self.synced_below() < end => {}
                // The seal tells how many positions its epoch handed out, which is known when it is closed.
                Phase::Superseded(_)
                    if segment.has_synced() && segment.header.epoch < self.sequencer.next().epoch() =>
                {
                    self.begin_seal(place, now, outbox);
                }
                Phase::Superseded(_)
                | Phase::Open
                | Phase::Failed
                | Phase::SealWriting
                | Phase::SealSyncing => {}
            }
        }
        while let Some(place) = self.segments.iter().position(|segment| self.is_abandoned(segment)) {
            let segment = self.segments.remove(place).expect("just found");
            outbox.ops.push_back(Op::ReleaseFile { file: segment.file });
            let (epoch, part) = (segment.header.epoch, segment.header.part);
            outbox.events.push_back(ShardEvent::Abandoned { ready: segment.ready, epoch, part });
        }
    }

    /// Whether a frame that got its place before those of this segment is not known durable.
    fn is_unsynced_before(&self, place: usize) -> bool {
        self.segments.iter().take(place).any(Segment::has_unsynced)
    }

    /// Nothing in it is durable, and all that was to be in it is durable elsewhere.
    fn is_abandoned(&self, segment: &Segment) -> bool {
        let Phase::Superseded(end) = segment.phase else { return false };
        let is_elsewhere = self.synced_below() >= end || bug!(AbandonedEarly);
        segment.under_way == 0 && !segment.has_synced() && is_elsewhere
    }

    fn begin_seal(&mut self, place: usize, now: Now, outbox: &mut Outbox) {
        let segment = &mut self.segments[place];
        segment.phase = Phase::SealWriting;
        segment.under_way += 1;
        let (id, file) = (segment.id, segment.file);
        let epoch = segment.header.epoch;
        let seal = segment.seal(self.sequencer.records_of(epoch), self.sequencer.before(epoch), now.wall);
        let mut buffer = self.pool.take(SEAL_BYTES);
        buffer.extend(&seal.encode());
        self.begin_write(id, What::Seal, file, SEAL_OFFSET, buffer, 0, now, outbox);
    }

    pub(super) fn begin_seal_sync(&mut self, id: u64, now: Now, outbox: &mut Outbox) {
        let segment = self.segment_mut(id);
        segment.phase = Phase::SealSyncing;
        segment.under_way += 1;
        let file = segment.file;
        let token = self.in_flight.begin(UnderWay { segment: id, what: What::SealSync, begun: now.mono });
        outbox.ops.push_back(Op::Sync { token, file });
    }

    /// The segment is complete.
    pub(super) fn sealed(&mut self, id: u64, outbox: &mut Outbox) {
        let place = self.segments.iter().position(|segment| segment.id == id).expect("it was being sealed");
        let segment = self.segments.remove(place).expect("just found");
        assert!(!segment.has_unsynced() && segment.under_way == 0, "a sealed segment is complete");
        outbox.ops.push_back(Op::ReleaseFile { file: segment.file });
        let (epoch, part) = (segment.header.epoch, segment.header.part);
        outbox.events.push_back(ShardEvent::Sealed { ready: segment.ready, epoch, part });
        self.metrics.segments_sealed.add(1);
        self.sealed_bytes += segment.sealed_bytes();
    }
}
