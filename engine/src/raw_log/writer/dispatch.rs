//! From staged batches to writes under way.

use super::{Reserved, UnderWay, What, Writer};
use crate::format::raw::{FRAME_HEADER_BYTES, FrameHeader, HEADER_BYTES, Header, VERSION};
use crate::ids::{Epoch, Position};
use crate::io::buffers::AlignedBuf;
use crate::io::op::{FileSlot, Op, Outbox};
use crate::raw_log::segment::{Frame, Phase, Segment};
use crate::raw_log::stage::StagedFrame;
use crate::time::Now;

impl Writer {
    /// Begins writes while there is something to write and a place for it.
    pub(super) fn dispatch(&mut self, now: Now, outbox: &mut Outbox) {
        self.begin_frames(now, outbox);
        while self.frames_in_flight < self.config.writes_in_flight_max {
            // Behind a failed segment nothing is placed: its frames come first, and may need the ready segment.
            if self.segments.iter().any(|segment| segment.phase == Phase::Failed) {
                return;
            }
            if self.stage.is_empty() {
                return;
            }
            let Some(reserved) = self.reserve(now, outbox) else { return };
            let Reserved { first, records } = reserved;
            if self.open().is_none_or(|open| open.header.epoch != first.epoch()) {
                self.close_open();
                if !self.claim(first.epoch(), 0, self.last_placed, self.segments.len(), now, outbox) {
                    self.reserved = Some(reserved);
                    return;
                }
            }
            self.place(reserved, now);
            self.begin_frames(now, outbox);
            self.close_full(first.epoch(), first.ordinal() + records, now, outbox);
        }
    }

    /// Positions for the first staged frame; `None` while there is no segment to put it in. From then on the frame is
    /// frozen: another shard may close the epoch at any moment, and where no segment is left for the next one, the frame
    /// waits with what it has.
    fn reserve(&mut self, now: Now, outbox: &mut Outbox) -> Option<Reserved> {
        if let Some(reserved) = self.reserved.take() {
            return Some(reserved);
        }
        // Positions are better taken late: an epoch whose positions are taken can't be dealt before they are written.
        self.follow_epochs(now, outbox);
        if self.open().is_none() && self.ready.is_empty() {
            return None;
        }
        let records = self.stage.freeze_front()?;
        Some(Reserved { first: self.sequencer.reserve(records), records })
    }

    /// Takes a ready segment into use as `part` of `epoch`, for frames behind the one at `follows`, at `place` among the
    /// segments, and begins writing its header.
    pub(super) fn claim(
        &mut self,
        epoch: Epoch,
        part: u32,
        follows: Option<Position>,
        place: usize,
        now: Now,
        outbox: &mut Outbox,
    ) -> bool {
        if self.in_flight.is_full() {
            return false;
        }
        let Some(ready) = self.ready.pop_front() else { return false };
        let header = Header {
            version: VERSION,
            block_bytes: u32::try_from(self.config.append.block_bytes()).expect("a block is small"),
            epoch,
            shard: self.config.shard,
            part,
            salt: ready.salt,
            created: now.wall,
            file_bytes: ready.file_bytes,
            follows,
        };
        let id = self.segments_ever;
        self.segments_ever += 1;
        let mut segment = Segment::new(id, &ready, header, now.mono);
        segment.under_way = 1;
        self.segments.insert(place, segment);
        self.metrics.segments_claimed.add(1);
        let mut buffer = self.pool.take(HEADER_BYTES);
        buffer.extend(&header.encode());
        self.begin_write(id, What::Header, ready.file, 0, buffer, 0, now, outbox);
        true
    }

    /// Puts the first staged frame into the open segment.
    fn place(&mut self, reserved: Reserved, now: Now) {
        let (number, StagedFrame { mut buffer, records, indexes, .. }) =
            self.stage.pop(&mut self.pool).expect("the caller saw one");
        assert_eq!(records, reserved.records, "as many records as positions were taken for them");
        let first = reserved.first;
        assert_eq!(number, self.placed, "frames get their places in order");
        self.placed += 1;
        self.last_placed = Some(first);
        self.last_placed_at = now.mono;
        let segment = self
            .segments
            .back_mut()
            .filter(|segment| segment.phase == Phase::Open)
            .expect("the caller saw to it");
        let frame_bytes = buffer.len();
        let (salt, before) = (segment.header.salt, segment.before_next());
        FrameHeader::seal_frame_of(&mut buffer, salt, records, first, now.wall, indexes, before);
        buffer.pad_to(self.config.append.block_bytes());
        self.metrics.frames.add(1);
        self.metrics.frame_bytes.add(buffer.len() as u64);
        self.metrics.records.add(u64::from(records));
        self.metrics.record_bytes.add((frame_bytes - FRAME_HEADER_BYTES) as u64);
        self.unsynced_bytes += buffer.capacity();
        segment.push(Frame {
            number,
            capacity: buffer.capacity(),
            frame_bytes,
            padded_bytes: buffer.len(),
            buffer: Some(buffer),
            records,
            indexes,
            first,
            time: now.wall,
            offset: 0,
            done: 0,
            written: false,
            written_at: None,
            rewritten: false,
        });
    }

    /// Begins the writes that wait in segments, as far as they may be under way at once.
    fn begin_frames(&mut self, now: Now, outbox: &mut Outbox) {
        for place in 0..self.segments.len() {
            while self.frames_in_flight < self.config.writes_in_flight_max && !self.in_flight.is_full() {
                let segment = &mut self.segments[place];
                if !matches!(segment.phase, Phase::Open | Phase::Closing) {
                    break;
                }
                let (id, file) = (segment.id, segment.file);
                let Some(frame) = segment.begin_next() else { break };
                let buffer = frame.buffer.take().expect("a waiting frame has its buffer");
                let (number, offset) = (frame.number, frame.offset);
                segment.under_way += 1;
                self.frames_in_flight += 1;
                self.begin_write(id, What::Frame(number), file, offset, buffer, 0, now, outbox);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of an operation")]
    pub(super) fn begin_write(
        &mut self,
        segment: u64,
        what: What,
        file: FileSlot,
        offset: u64,
        buffer: AlignedBuf,
        from: usize,
        now: Now,
        outbox: &mut Outbox,
    ) {
        let token = self.in_flight.begin(UnderWay { segment, what, begun: now.mono });
        let durable = self.config.writes_are_durable();
        outbox.ops.push_back(Op::Write { token, file, offset: offset + from as u64, buffer, from, durable });
    }
}
