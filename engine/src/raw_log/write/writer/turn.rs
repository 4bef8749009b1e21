//! One turn: from staged batches to writes, syncs, seals and watermarks.

use super::Writer;
use super::operations::What;
use super::positions::Reserved;
use crate::format::raw::{FRAME_HEADER_BYTES, HEADER_BYTES, Header, SEAL_BYTES, SEAL_OFFSET, VERSION};
use crate::ids::{Epoch, Position};
use crate::io::op::{Op, Outbox, ShardEvent, Write};
use crate::mutant::bug;
use crate::raw_log::write::segment::{Due, Segment};
use crate::time::{MonoNanos, Now};

/// What a ready segment is taken into use as.
struct Claim {
    epoch: Epoch,
    part: u32,
    /// First position of the frame that it follows.
    follows: Option<Position>,
    /// Among the segments.
    place: usize,
}

impl Writer {
    /// Moves everything on that can be: frames, segments, syncs, watermarks.
    pub(crate) fn turn(&mut self, now: Now, outbox: &mut Outbox) {
        if self.fatal {
            return;
        }
        self.positions.tell_needed(self.segments.oldest_epoch());
        self.rescue_failed(now, outbox);
        self.follow_epochs(now, outbox);
        self.dispatch(now, outbox);
        self.complete_segments(now, outbox);
        self.begin_syncs(now, outbox);
        self.ready.ask(outbox);
        self.move_watermarks(now);
        self.measure();
        self.received.publish(&self.segments, self.stage.bytes());
    }

    /// Takes the frames out of segments that failed, once nothing is under way there and a ready segment is at hand: those
    /// that are not known durable are written once more.
    fn rescue_failed(&mut self, now: Now, outbox: &mut Outbox) {
        while let Some(place) = self.segments.first_to_rescue() {
            let failed = self.segments.at(place);
            let (epoch, part, follows) = (failed.epoch(), failed.part() + 1, failed.last_synced());
            if !self.claim(&Claim { epoch, part, follows, place: place + 1 }, now, outbox) {
                return;
            }
            self.segments.rescue(place);
            self.metrics.rewrites.add(1);
        }
    }

    /// Closes the epoch of the open segment when it is old, and follows when the epoch is closed: no position of it is
    /// handed out any more, so the segment gets no further frame.
    fn follow_epochs(&mut self, now: Now, outbox: &mut Outbox) {
        let Some(open) = self.segments.open() else { return };
        let (epoch, old_at) = (open.epoch(), self.old_at(open));
        if now.mono >= old_at {
            self.positions.close(epoch, now.wall, outbox);
        }
        if self.positions.epoch() > epoch {
            self.segments.close_open();
        }
    }

    /// When the epoch of the open segment is old enough to be closed. While there is no segment to continue with, appends
    /// would have to wait: as long as there are any, this one takes them.
    pub(super) fn old_at(&self, open: &Segment) -> MonoNanos {
        let opened = open.opened();
        let since = if self.ready.is_empty() { opened.max(self.positions.last_placed_at()) } else { opened };
        since + self.config.epoch_max_age
    }

    /// Begins writes while there is something to write and a place for it.
    fn dispatch(&mut self, now: Now, outbox: &mut Outbox) {
        self.begin_frames(now, outbox);
        // After a failed segment nothing is placed: its frames come first, and may need the ready segment.
        while (self.places_all() || !self.operations.is_full_of_frames())
            && !self.segments.has_failed()
            && !self.stage.is_empty()
        {
            let Some(Reserved { first, records }) = self.reserve(now, outbox) else { return };
            if self.segments.open().is_none_or(|open| open.epoch() != first.epoch()) {
                self.segments.close_open();
                let (follows, place) = (self.positions.last_placed(), self.segments.len());
                if !self.claim(&Claim { epoch: first.epoch(), part: 0, follows, place }, now, outbox) {
                    return;
                }
            }
            self.place(now);
            self.begin_frames(now, outbox);
            self.close_full(first.epoch(), first.ordinal() + records, now, outbox);
        }
    }

    /// Positions for the first staged frame; `None` while there is no segment to put it in. From then on the frame is
    /// frozen: another shard may close the epoch at any moment, and where no segment is left for the next one, the frame
    /// waits with what it has.
    fn reserve(&mut self, now: Now, outbox: &mut Outbox) -> Option<Reserved> {
        if let Some(reserved) = self.positions.reserved() {
            return Some(reserved);
        }
        // Positions are better taken late: an epoch whose positions are taken can't be dealt before they are written.
        self.follow_epochs(now, outbox);
        if self.segments.open().is_none() && self.ready.is_empty() {
            return None;
        }
        let records = self.stage.freeze_front()?;
        Some(self.positions.reserve(records))
    }

    /// Takes a ready segment into use, and begins writing its header; whether there is one.
    fn claim(&mut self, claim: &Claim, now: Now, outbox: &mut Outbox) -> bool {
        if self.operations.is_full() {
            return false;
        }
        let Some(ready) = self.ready.take() else { return false };
        let header = Header {
            version: VERSION,
            block_bytes: u32::try_from(self.config.append.block_bytes()).expect("a block is small"),
            epoch: claim.epoch,
            shard: self.config.shard,
            part: claim.part,
            salt: ready.salt,
            created: now.wall,
            file_bytes: ready.file_bytes,
            follows: claim.follows,
        };
        let id = self.segments.insert(claim.place, &ready, header, now.mono);
        self.metrics.segments_claimed.add(1);
        let mut buffer = self.pool.take(HEADER_BYTES);
        buffer.extend(&header.encode());
        let write = Write { file: ready.file, offset: 0, buffer, from: 0 };
        self.operations.write(id, What::Header, write, now.mono, outbox);
        true
    }

    /// Puts the first staged frame into the open segment, at the positions that are reserved for it.
    fn place(&mut self, now: Now) {
        let (number, frame) = self.stage.pop(&mut self.pool).expect("the caller saw one");
        let reserved = self.positions.place(now.mono);
        let as_many = frame.records() == reserved.records || bug!(FrameUnfrozen);
        assert!(as_many, "as many records as positions were taken for them");
        self.watermarks.place(number, frame.capacity());
        self.metrics.frames.add(1);
        self.metrics.records.add(u64::from(reserved.records));
        self.metrics.record_bytes.add((frame.bytes() - FRAME_HEADER_BYTES) as u64);
        let open = self.segments.open_mut().expect("the caller saw to it");
        let begin = open.end();
        open.place(number, frame, reserved.first, now.wall);
        self.metrics.frame_bytes.add(open.end() - begin);
    }

    /// Begins the writes that wait in segments, as far as they may be under way at once.
    fn begin_frames(&mut self, now: Now, outbox: &mut Outbox) {
        for place in 0..self.segments.len() {
            let segment = self.segments.at(place);
            if !segment.is_written_to() {
                continue;
            }
            while !self.operations.is_full_of_frames() && !self.operations.is_full() {
                let Some((number, write)) = segment.begin_next() else { break };
                self.operations.write(segment.id(), What::Frame(number), write, now.mono, outbox);
            }
        }
    }

    /// Closes the epoch when the open segment or the epoch's positions are full, after a frame that ended at ordinal `end`.
    fn close_full(&mut self, epoch: Epoch, end: u32, now: Now, outbox: &mut Outbox) {
        let full = self.segments.open().is_some_and(|open| open.end() >= self.config.segment_roll_bytes);
        if full || end >= self.config.epoch_records_seal {
            self.positions.close(epoch, now.wall, outbox);
            self.follow_epochs(now, outbox);
        }
    }

    /// Completes what can be completed: closing segments are synced, then sealed; superseded ones sealed or abandoned.
    fn complete_segments(&mut self, now: Now, outbox: &mut Outbox) {
        for place in 0..self.segments.len() {
            if self.operations.is_full() {
                return;
            }
            match self.segments.due(place, self.synced_below(), self.positions.epoch()) {
                Due::Nothing => {}
                Due::Sync => self.begin_sync(place, now, outbox),
                Due::Seal => self.begin_seal(place, now, outbox),
            }
        }
        while let Some(segment) = self.segments.take_abandoned(self.synced_below()) {
            outbox.ops.push_back(Op::ReleaseFile { file: segment.file() });
            let (ready, epoch, part) = (segment.ready(), segment.epoch(), segment.part());
            outbox.events.push_back(ShardEvent::Abandoned { ready, epoch, part });
        }
    }

    /// All frames below this are synced.
    fn synced_below(&self) -> u64 {
        self.segments.first_unsynced().unwrap_or(self.watermarks.placed())
    }

    fn begin_seal(&mut self, place: usize, now: Now, outbox: &mut Outbox) {
        let segment = self.segments.at(place);
        let (epoch_records, previous) = self.positions.end_of(segment.epoch());
        let seal = segment.begin_seal(epoch_records, previous, now.wall);
        let mut buffer = self.pool.take(SEAL_BYTES);
        buffer.extend(&seal.encode());
        let write = Write { file: segment.file(), offset: SEAL_OFFSET, buffer, from: 0 };
        self.operations.write(segment.id(), What::Seal, write, now.mono, outbox);
    }

    /// Begins the syncs that are due by age or amount. (A closing segment is synced by its own road.)
    fn begin_syncs(&mut self, now: Now, outbox: &mut Outbox) {
        for place in 0..self.segments.len() {
            let segment = self.segments.at(place);
            if !segment.may_sync() || self.operations.is_full() {
                continue;
            }
            let Some(oldest) = segment.oldest_unsynced() else { continue };
            if self.group_sync.begins(oldest, self.watermarks.unsynced_bytes(), now.mono) {
                self.begin_sync(place, now, outbox);
            }
        }
    }

    /// Begins an fdatasync that covers what is written of the segment now.
    fn begin_sync(&mut self, place: usize, now: Now, outbox: &mut Outbox) {
        let segment = self.segments.at(place);
        segment.begin_sync();
        self.operations.sync(segment.id(), What::Sync, segment.file(), now.mono, outbox);
    }

    fn move_watermarks(&mut self, now: Now) {
        let oldest = self.segments.oldest_unsynced();
        let acknowledges_written = self.group_sync.acknowledges_written(oldest, now.mono);
        let (unsynced, unwritten) = (self.segments.first_unsynced(), self.segments.first_unwritten());
        self.watermarks.advance(unsynced, unwritten, acknowledges_written);
        self.metrics.unsynced_since_nanos.set(oldest.map_or(0, |oldest| oldest.0));
    }

    fn measure(&self) {
        self.metrics.ready_segments.set(self.ready.len() as u64);
        self.metrics.frames_placed.set(self.watermarks.placed());
        self.metrics.frames_acknowledged.set(self.watermarks.acknowledged());
        self.metrics.frames_synced.set(self.watermarks.synced());
        self.metrics.unsynced_bytes.set(self.watermarks.unsynced_bytes() as u64);
        self.metrics.staged_bytes.set(self.stage.bytes() as u64);
    }
}
