//! One raw segment while a shard writes it.
//!
//! ```text
//! Open ── epoch closed ──► Closing ── all written and synced ──► SealWriting ──► SealSyncing ──► gone (Sealed)
//!   │                         │                                       ▲
//!   └── I/O error ────────────┴──► Failed ── its frames are ──► Superseded ── they are synced there: cut ──┤
//!                                            in another segment                and seal, or ──► gone (Abandoned)
//! ```

use std::io;

use crate::format::raw::{FRAMES_OFFSET, Header, Salt, Seal, SealedBy};
use crate::ids::{Epoch, Position};
use crate::io::buffers::AlignedBuf;
use crate::io::op::{FileSlot, Write};
use crate::mutant::{bug, or_bug};
use crate::time::{MonoNanos, WallMillis};

mod durable;
mod frame;
mod frames;

use super::stage::StagedFrame;
use durable::Durable;
use frame::Frame;
use frames::Frames;

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
enum Phase {
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

/// What a segment waits for to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing that its owner could begin.
    Nothing,
    /// An fdatasync.
    Sync,
    /// Its seal.
    Seal,
}

/// What the failure of an operation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The segment's un-synced frames are to be written elsewhere.
    Mendable,
    /// The segment had failed before.
    Known,
    /// Nothing can be done.
    Final,
}

/// A segment and its frames that are not synced.
#[derive(Debug)]
pub(super) struct Segment {
    /// Names the segment in this process.
    id: u64,
    ready: u64,
    header: Header,
    opened: MonoNanos,
    phase: Phase,
    header_written: bool,
    /// It was said that the header is durable.
    claimed: bool,
    /// Operations under way.
    under_way: usize,
    /// While an fdatasync is under way, how many of the first frames it covers: those written before it began.
    sync_covers: Option<usize>,
    /// Those that are not synced.
    frames: Frames,
    /// What the seal says.
    durable: Durable,
}

impl Segment {
    /// A ready segment in use; the write of its header is under way.
    pub(super) const fn new(id: u64, ready: &ReadySegment, header: Header, opened: MonoNanos) -> Self {
        Self {
            id,
            ready: ready.ready,
            header,
            opened,
            phase: Phase::Open,
            header_written: false,
            claimed: false,
            under_way: 1,
            sync_covers: None,
            frames: Frames::new(ready.file, &header),
            durable: Durable::NOTHING,
        }
    }

    /// Names the segment in this process.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    pub(super) const fn file(&self) -> FileSlot {
        self.frames.file()
    }

    /// The number that its file's name had.
    pub(super) const fn ready(&self) -> u64 {
        self.ready
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.header.epoch
    }

    /// Its number among the shard's segments of the epoch.
    pub(super) const fn part(&self) -> u32 {
        self.header.part
    }

    pub(super) const fn opened(&self) -> MonoNanos {
        self.opened
    }

    /// Whether it takes frames.
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether its frames are written and synced here.
    pub(super) const fn is_written_to(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Closing)
    }

    /// Whether an operation failed, and its un-synced frames are still here.
    pub(super) fn has_failed(&self) -> bool {
        self.phase == Phase::Failed
    }

    /// Whether the kernel has nothing to do with it.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.under_way == 0
    }

    /// Takes no more frames, if it did.
    pub(super) fn close(&mut self) {
        if self.is_open() {
            self.phase = Phase::Closing;
        }
    }

    /// An operation on it ended.
    pub(super) const fn operation_ended(&mut self) {
        self.under_way -= 1;
    }

    pub(super) const fn header_is_written(&mut self) {
        self.header_written = true;
    }

    /// The header is durable; whether that is news.
    pub(super) const fn claim(&mut self) -> bool {
        !std::mem::replace(&mut self.claimed, true)
    }

    /// Adds a staged frame after the others, where its first record gets position `first`.
    ///
    /// # Panics
    /// If the segment is not open, or the frame does not fit or does not follow: bugs.
    pub(super) fn place(&mut self, number: u64, staged: StagedFrame, first: Position, time: WallMillis) {
        assert!(self.is_open(), "only an open segment takes a frame");
        assert_eq!(first.epoch(), self.header.epoch, "a frame of another epoch");
        let mut frame = Frame::new(number, staged, first, self.header.block_bytes as usize, time);
        frame.seal(self.header.salt, self.frames.before_next());
        self.frames.push(frame);
    }

    /// Takes over the frames that a segment of the same epoch could not make durable.
    pub(super) fn take_over(&mut self, failed: &mut Self) {
        assert!(failed.has_failed() && failed.is_at_rest(), "the kernel holds none of the frames");
        assert_eq!(failed.header.epoch, self.header.epoch, "frames of another epoch");
        let end = failed.frames.end_number().expect("a segment fails only while frames are un-synced");
        failed.phase = Phase::Superseded(end);
        for mut frame in failed.frames.take_all() {
            or_bug!(RescueKeepsSalt, frame.seal(self.header.salt, self.frames.before_next()), ());
            frame.move_elsewhere();
            self.frames.push(frame);
        }
    }

    /// Where the next frame begins.
    pub(super) const fn end(&self) -> u64 {
        self.frames.end()
    }

    /// Length of all its frames.
    pub(super) const fn bytes(&self) -> u64 {
        self.frames.end() - FRAMES_OFFSET
    }

    /// Length of the frames that its seal covers.
    pub(super) const fn sealed_bytes(&self) -> u64 {
        self.durable.end - FRAMES_OFFSET
    }

    /// The write of the next frame that waits, if one does, and the frame's number. It counts as begun.
    pub(super) fn begin_next(&mut self) -> Option<(u64, Write)> {
        let next = self.frames.begin_next()?;
        self.under_way += 1;
        Some(next)
    }

    /// A write of a frame ended. What is left to write of it after a short write, which counts as begun; nothing when the
    /// frame is written.
    ///
    /// # Errors
    /// The write's, or that no whole block was written; or that one is left, and the segment failed: nothing more is
    /// written to it.
    pub(super) fn frame_written(
        &mut self,
        number: u64,
        buffer: AlignedBuf,
        result: io::Result<usize>,
        now: MonoNanos,
    ) -> io::Result<Option<Write>> {
        let continues = !self.has_failed();
        let rest = self.frames.written(number, buffer, result, continues, now)?;
        self.under_way += usize::from(rest.is_some());
        Ok(rest)
    }

    /// The range to begin writing out, once `step` bytes in a row are written, unless it failed.
    pub(super) fn write_out(&mut self, step: u64) -> Option<(u64, u64)> {
        if self.has_failed() { None } else { self.frames.write_out(step) }
    }

    /// How many of the first frames are written. They count only together with the header block.
    const fn covered(&self) -> usize {
        if self.header_written { self.frames.written_in_a_row() } else { 0 }
    }

    /// Whether there is a frame that is not known durable.
    pub(super) fn has_unsynced(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Number of the first frame that is not synced.
    pub(super) fn first_unsynced(&self) -> Option<u64> {
        self.frames.number_at(0)
    }

    /// Number of the first frame that is not written.
    pub(super) fn first_unwritten(&self) -> Option<u64> {
        self.frames.number_at(self.covered())
    }

    /// When the oldest frame that is written but not synced was written.
    pub(super) fn oldest_unsynced(&self) -> Option<MonoNanos> {
        if self.covered() == 0 { None } else { self.frames.first_written_at() }
    }

    /// First position of the last frame that is durable here, or of the one that this segment follows.
    pub(super) const fn last_synced(&self) -> Option<Position> {
        match self.durable.last {
            None => self.header.follows,
            last => last,
        }
    }

    /// Whether an fdatasync would make frames durable, and none is under way.
    pub(super) const fn may_sync(&self) -> bool {
        self.is_written_to() && self.sync_covers.is_none() && self.covered() > 0
    }

    /// An fdatasync begins, which covers what is written now.
    ///
    /// # Panics
    /// If one is under way.
    pub(super) const fn begin_sync(&mut self) {
        assert!(self.sync_covers.is_none(), "one sync at a time");
        self.sync_covers = Some(self.covered());
        self.under_way += 1;
    }

    /// The fdatasync under way failed: what it covered may be lost.
    pub(super) const fn sync_failed(&mut self) {
        self.sync_covers = None;
    }

    /// What the fdatasync under way covered is durable: the buffers of those frames.
    ///
    /// # Panics
    /// If none was under way.
    pub(super) fn take_synced(&mut self) -> impl Iterator<Item = AlignedBuf> + '_ {
        let count = self.sync_covers.take().expect("a sync was under way");
        self.forget(count)
    }

    /// Where writes are durable: the buffers of the frames that are written in a row. (In a segment that failed nothing
    /// counts any more: its frames are written elsewhere.)
    pub(super) fn take_written(&mut self) -> impl Iterator<Item = AlignedBuf> + '_ {
        let count = if self.is_written_to() { self.covered() } else { 0 };
        self.forget(count)
    }

    /// The first `count` frames are durable, and forgotten; their buffers come out.
    fn forget(&mut self, count: usize) -> impl Iterator<Item = AlignedBuf> + '_ {
        let durable = &mut self.durable;
        self.frames.take_first(count).map(move |frame| {
            durable.add(&frame);
            frame.into_buffer()
        })
    }

    /// What it waits for. All frames below `synced` are synced, `epoch` is open, and `follows_unsynced` says whether a frame
    /// with a place before those of this segment is not known durable.
    pub(super) fn due(&self, synced: u64, follows_unsynced: bool, epoch: Epoch) -> Due {
        if !self.is_at_rest() {
            return Due::Nothing;
        }
        match self.phase {
            Phase::Closing if self.frames.has_waiting() => Due::Nothing,
            Phase::Closing if self.has_unsynced() => Due::Sync,
            // A seal says that nothing is missing before it (see the recovery's chain).
            Phase::Closing if follows_unsynced => Due::Nothing,
            Phase::Closing => Due::Seal,
            Phase::Superseded(end) if synced < end => Due::Nothing,
            // The seal says how many positions its epoch handed out, which is known when it is closed.
            Phase::Superseded(_) if self.durable.is_anything() && self.header.epoch < epoch => Due::Seal,
            Phase::Superseded(_) | Phase::Open | Phase::Failed | Phase::SealWriting | Phase::SealSyncing => {
                Due::Nothing
            }
        }
    }

    /// Whether nothing in it is durable, and all that was to be in it is durable elsewhere, where all frames below `synced`
    /// are synced.
    pub(super) fn is_abandoned(&self, synced: u64) -> bool {
        let Phase::Superseded(end) = self.phase else { return false };
        let is_elsewhere = synced >= end || bug!(AbandonedEarly);
        self.is_at_rest() && !self.durable.is_anything() && is_elsewhere
    }

    /// An operation on it failed. Its un-synced frames can be written elsewhere, unless that is the second time.
    pub(super) fn fail(&mut self) -> Failure {
        match self.phase {
            Phase::Open | Phase::Closing if !self.frames.has_rewritten() => {
                self.phase = Phase::Failed;
                Failure::Mendable
            }
            Phase::Failed => Failure::Known,
            Phase::Open | Phase::Closing | Phase::SealWriting | Phase::SealSyncing | Phase::Superseded(_) => {
                Failure::Final
            }
        }
    }

    /// The seal over what is durable; its write begins.
    pub(super) const fn begin_seal(
        &mut self,
        epoch_records: Option<u32>,
        previous: Option<Epoch>,
        sealed: WallMillis,
    ) -> Seal {
        self.phase = Phase::SealWriting;
        self.under_way += 1;
        let Header { salt, epoch, .. } = self.header;
        let sealed_by = SealedBy::Writer;
        let Durable { end, frames, records, .. } = self.durable;
        Seal { salt, epoch, end, frames, records, epoch_records, previous, sealed_by, sealed }
    }

    /// The seal is written; its fdatasync begins.
    pub(super) const fn begin_seal_sync(&mut self) {
        self.phase = Phase::SealSyncing;
        self.under_way += 1;
    }
}
