//! Syncs, and the watermarks that follow them.

use super::{UnderWay, What, Writer};
use crate::io::op::{Op, Outbox};
use crate::mutant::bug;
use crate::raw_log::config::SyncMode;
use crate::raw_log::segment::{Phase, Segment, SyncUnderWay};
use crate::time::Now;

impl Writer {
    pub(super) fn may_sync(segment: &Segment) -> bool {
        matches!(segment.phase, Phase::Open | Phase::Closing)
            && segment.sync.is_none()
            && segment.syncable() > 0
    }

    /// Begins the syncs that are due by age or amount. (A closing segment is synced by its own road.)
    pub(super) fn begin_syncs(&mut self, now: Now, outbox: &mut Outbox) {
        for place in 0..self.segments.len() {
            let segment = &self.segments[place];
            if !Self::may_sync(segment) || self.in_flight.is_full() {
                continue;
            }
            let Some(oldest) = segment.oldest_unsynced() else { continue };
            if self.group_sync.begins(oldest, self.unsynced_bytes, now.mono) {
                self.begin_sync(place, now, outbox);
            }
        }
    }

    /// Begins an fdatasync that covers what is written of the segment now.
    pub(super) fn begin_sync(&mut self, place: usize, now: Now, outbox: &mut Outbox) {
        let segment = &mut self.segments[place];
        assert!(segment.sync.is_none(), "one sync at a time");
        segment.sync = Some(SyncUnderWay { frames: segment.syncable() });
        segment.under_way += 1;
        let (id, file) = (segment.id, segment.file);
        let token = self.in_flight.begin(UnderWay { segment: id, what: What::Sync, begun: now.mono });
        outbox.ops.push_back(Op::Sync { token, file });
    }

    /// What a sync covered is durable, and forgotten.
    pub(super) fn note_synced(&mut self, id: u64) {
        let sync = self.segment_mut(id).sync.take().expect("a sync was under way");
        self.forget_synced(id, sync.frames);
    }

    /// Where writes are durable, what is written in a row is synced with it. (In a segment that failed nothing counts
    /// any more: its frames are written elsewhere.)
    pub(super) fn note_durable_writes(&mut self, id: u64) {
        if !self.config.writes_are_durable() {
            return;
        }
        let segment = self.segment_mut(id);
        if matches!(segment.phase, Phase::Open | Phase::Closing) {
            let frames = segment.syncable();
            self.forget_synced(id, frames);
        }
    }

    fn forget_synced(&mut self, id: u64, frames: usize) {
        let place = self
            .segments
            .iter()
            .position(|segment| segment.id == id)
            .expect("a segment outlives its operations");
        for frame in self.segments[place].take_synced(frames) {
            self.unsynced_bytes -= frame.capacity;
            self.pool.give(frame.buffer.expect("a written frame has its buffer"));
        }
    }

    /// All frames below this are synced.
    pub(super) fn synced_below(&self) -> u64 {
        self.segments.iter().find_map(Segment::first_unsynced).unwrap_or(self.placed)
    }

    fn written_below(&self) -> u64 {
        self.segments.iter().find_map(Segment::first_unwritten).unwrap_or(self.placed)
    }

    pub(super) fn move_watermarks(&mut self, now: Now) {
        let synced = self.synced_below();
        assert!(synced >= self.synced, "the synced watermark went back");
        self.synced = synced;
        let oldest = self.segments.iter().filter_map(Segment::oldest_unsynced).min();
        let written = if bug!(WatermarkStaged) && self.config.sync != SyncMode::Always {
            self.placed
        } else if self.group_sync.acknowledges_written(oldest, now.mono) {
            self.written_below()
        } else {
            synced
        };
        // After an I/O error written frames count as unwritten until they are written elsewhere; what was acknowledged stays so.
        self.acknowledged = self.acknowledged.max(written);
        assert!(self.acknowledged <= self.placed, "acknowledged before it had a place");
        assert!(
            self.config.sync != SyncMode::Always || self.acknowledged <= self.synced,
            "acknowledged before it was durable"
        );
        self.metrics.frames_placed.set(self.placed);
        self.metrics.frames_acknowledged.set(self.acknowledged);
        self.metrics.frames_synced.set(self.synced);
        self.metrics.unsynced_bytes.set(self.unsynced_bytes as u64);
        self.metrics.staged_bytes.set(self.stage.bytes() as u64);
        self.metrics.unsynced_since_nanos.set(oldest.map_or(0, |oldest| oldest.0));
    }
}
