//! One raw segment while a shard writes it.
//!
//! ```text
//! Open ── epoch closed ──► Closing ── all written and synced ──► SealWriting ──► SealSyncing ──► gone (Sealed)
//!   │                         │                                       ▲
//!   └── I/O error ────────────┴──► Failed ── its frames are ──► Superseded ── they are synced there: cut ──┤
//!                                            in another segment                and seal, or ──► gone (Abandoned)
//! ```

use std::collections::VecDeque;

use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::{FRAMES_OFFSET, FrameBefore, Header, Salt, Seal, SealedBy};
use crate::ids::{Epoch, Position};
use crate::io::buffers::AlignedBuf;
use crate::io::op::FileSlot;
use crate::mutant::or_bug;
use crate::time::{MonoNanos, WallMillis};

/// A segment made ready ahead of time, open.
#[derive(Clone, Copy, Debug)]
pub struct ReadySegment {
    /// The number in its name.
    pub ready: u64,
    /// The open file.
    pub file: FileSlot,
    /// Its length.
    pub file_bytes: u64,
    /// Fresh, random: tells its frames from those of earlier lives of the file.
    pub salt: Salt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Takes frames.
    Open,
    /// Its epoch is closed: takes no more frames, is being written and synced.
    Closing,
    /// Everything is durable, the seal block is being written.
    SealWriting,
    /// The seal block is being made durable.
    SealSyncing,
    /// An operation failed; waits until none is under way.
    Failed,
    /// Its un-synced frames were taken over by another segment; waits until that one has synced all numbered below this.
    Superseded(u64),
}

/// A frame from its write until it is synced: kept, so that it can be written elsewhere.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) number: u64,
    /// The whole frame with header and padding; `None` while the kernel has it.
    pub(super) buffer: Option<AlignedBuf>,
    /// Memory of the buffer.
    pub(super) capacity: usize,
    /// Without padding.
    pub(super) frame_bytes: usize,
    pub(super) padded_bytes: usize,
    pub(super) records: u32,
    pub(super) indexes: FrameIndexes,
    pub(super) first: Position,
    pub(super) time: WallMillis,
    pub(super) offset: u64,
    /// Bytes already written by a short write.
    pub(super) done: usize,
    pub(super) written: bool,
    /// When it was first written: since then it counts as acknowledged and not yet durable.
    pub(super) written_at: Option<MonoNanos>,
    /// It was in a segment that failed; there is no second time.
    pub(super) rewritten: bool,
}

/// An fdatasync under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct SyncUnderWay {
    /// How many of the first frames it covers: those written before it began.
    pub(super) frames: usize,
}

#[derive(Debug)]
pub(super) struct Segment {
    /// Names the segment in this process.
    pub(super) id: u64,
    pub(super) ready: u64,
    pub(super) file: FileSlot,
    pub(super) header: Header,
    pub(super) opened: MonoNanos,
    pub(super) phase: Phase,
    pub(super) header_written: bool,
    /// It was said that the header is durable.
    pub(super) claimed: bool,
    /// Operations under way.
    pub(super) under_way: usize,
    pub(super) sync: Option<SyncUnderWay>,
    /// Un-synced frames, in order.
    frames: VecDeque<Frame>,
    /// How many of them were begun to be written (they are begun in order).
    begun: usize,
    /// How many of the first ones are written.
    written: usize,
    /// Where the next frame begins.
    end: u64,
    /// Where the last one does, and which indexes it holds.
    last: Option<(u64, FrameIndexes)>,
    /// What is known durable: the seal says it.
    synced_end: u64,
    synced_last: Option<Position>,
    synced_frames: u64,
    synced_records: u64,
    /// To where write-out was begun.
    written_out: u64,
}

impl Segment {
    pub(super) fn new(id: u64, ready: &ReadySegment, header: Header, opened: MonoNanos) -> Self {
        Self {
            id,
            ready: ready.ready,
            file: ready.file,
            header,
            opened,
            phase: Phase::Open,
            header_written: false,
            claimed: false,
            under_way: 0,
            sync: None,
            frames: VecDeque::new(),
            begun: 0,
            written: 0,
            end: FRAMES_OFFSET,
            last: None,
            synced_end: FRAMES_OFFSET,
            synced_last: None,
            synced_frames: 0,
            synced_records: 0,
            written_out: FRAMES_OFFSET,
        }
    }

    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// What the next frame is to say of the last one.
    pub(super) fn before_next(&self) -> Option<FrameBefore> {
        let (begin, indexes) = self.last?;
        let bytes = u32::try_from(self.end - begin).ok()?;
        Some(FrameBefore { bytes, indexes })
    }

    /// Adds a frame behind the others; sets its offset.
    ///
    /// # Panics
    /// If it does not fit or does not follow: bugs.
    pub(super) fn push(&mut self, mut frame: Frame) {
        assert!(
            self.end + frame.padded_bytes as u64 <= self.header.file_bytes,
            "a frame beyond the segment's end"
        );
        assert_eq!(frame.first.epoch(), self.header.epoch, "a frame of another epoch");
        if let Some(last) = self.frames.back() {
            assert!(last.number < frame.number && last.first < frame.first, "frames in order");
        }
        frame.offset = self.end;
        self.last = Some((frame.offset, frame.indexes));
        frame.done = 0;
        frame.written = false;
        self.end += frame.padded_bytes as u64;
        self.frames.push_back(frame);
    }

    /// The next frame to begin writing, if one waits; it counts as begun.
    pub(super) fn begin_next(&mut self) -> Option<&mut Frame> {
        let frame = self.frames.get_mut(self.begun)?;
        self.begun += 1;
        Some(frame)
    }

    /// Whether frames wait to be begun.
    pub(super) fn has_waiting(&self) -> bool {
        self.begun < self.frames.len()
    }

    /// An un-synced frame.
    ///
    /// # Panics
    /// If there is none of this number: a completion for nothing.
    pub(super) fn frame_mut(&mut self, number: u64) -> &mut Frame {
        let place = self
            .frames
            .binary_search_by_key(&number, |frame| frame.number)
            .expect("frames under way are kept");
        &mut self.frames[place]
    }

    /// Counts which first frames are written, after one was.
    pub(super) fn note_written(&mut self) {
        while self.frames.get(self.written).is_some_and(|frame| frame.written) {
            self.written += 1;
        }
    }

    /// Frames that a sync beginning now would cover.
    pub(super) const fn syncable(&self) -> usize {
        if self.header_written { self.written } else { 0 }
    }

    /// When the oldest frame that is written but not synced was written.
    pub(super) fn oldest_unsynced(&self) -> Option<MonoNanos> {
        let newest = || self.frames.get(self.written.wrapping_sub(1));
        let frame = or_bug!(IntervalRestarted, self.frames.front(), newest());
        if self.syncable() == 0 { None } else { frame.and_then(|frame| frame.written_at) }
    }

    /// Whether there is a frame that is not known durable.
    pub(super) fn has_unsynced(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Number of the first frame that is not synced.
    pub(super) fn first_unsynced(&self) -> Option<u64> {
        self.frames.front().map(|frame| frame.number)
    }

    /// Number of the first frame that is not written (a frame counts only together with its header block).
    pub(super) fn first_unwritten(&self) -> Option<u64> {
        self.frames.get(self.syncable()).map(|frame| frame.number)
    }

    pub(super) fn has_rewritten(&self) -> bool {
        self.frames.iter().any(|frame| frame.rewritten)
    }

    /// The first `count` frames are durable; they come out, to be forgotten.
    pub(super) fn take_synced(&mut self, count: usize) -> impl Iterator<Item = Frame> + '_ {
        assert!(count <= self.written, "only what was written can be synced");
        self.begun -= count;
        self.written -= count;
        let (end, frames, records) =
            (&mut self.synced_end, &mut self.synced_frames, &mut self.synced_records);
        let last = &mut self.synced_last;
        self.frames.drain(..count).inspect(move |frame| {
            *last = Some(frame.first);
            *end = frame.offset + frame.padded_bytes as u64;
            *frames += 1;
            *records += u64::from(frame.records);
        })
    }

    /// All un-synced frames come out, to be written elsewhere.
    pub(super) fn take_unsynced(&mut self) -> VecDeque<Frame> {
        assert_eq!(self.under_way, 0, "the kernel holds none of them");
        self.begun = 0;
        self.written = 0;
        std::mem::take(&mut self.frames)
    }

    /// Whether anything in it is known durable.
    pub(super) const fn has_synced(&self) -> bool {
        self.synced_frames > 0
    }

    /// What its seal covers, in bytes.
    pub(super) const fn sealed_bytes(&self) -> u64 {
        self.synced_end - FRAMES_OFFSET
    }

    /// First position of the last frame that is durable here, or of the one that this segment follows.
    pub(super) const fn last_synced(&self) -> Option<Position> {
        match self.synced_last {
            None => self.header.follows,
            last => last,
        }
    }

    /// The range to begin writing out, once `step` bytes in a row are written.
    pub(super) fn write_out(&mut self, step: u64) -> Option<(u64, u64)> {
        let last = self.frames.get(self.written.checked_sub(1)?)?;
        let end = last.offset + last.padded_bytes as u64;
        let begin = self.written_out;
        if step == 0 || end - begin < step {
            return None;
        }
        self.written_out = end;
        Some((begin, end - begin))
    }

    /// The seal over what is durable.
    pub(super) const fn seal(
        &self,
        epoch_records: Option<u32>,
        previous: Option<Epoch>,
        sealed: WallMillis,
    ) -> Seal {
        Seal {
            salt: self.header.salt,
            epoch: self.header.epoch,
            end: self.synced_end,
            frames: self.synced_frames,
            records: self.synced_records,
            epoch_records,
            previous,
            sealed_by: SealedBy::Writer,
            sealed,
        }
    }
}
