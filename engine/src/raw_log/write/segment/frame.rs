//! A frame from its place in a segment until it is synced.

use std::io;

use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::{FrameBefore, FrameHeader, Salt};
use crate::ids::Position;
use crate::io::buffers::AlignedBuf;
use crate::io::op::{FileSlot, Write};
use crate::raw_log::write::stage::StagedFrame;
use crate::time::{MonoNanos, WallMillis};

/// Kept until it is synced, so that it can be written elsewhere.
#[derive(Debug)]
pub(super) struct Frame {
    number: u64,
    /// The whole frame with header and padding; `None` while the kernel has it.
    buffer: Option<AlignedBuf>,
    /// Without padding.
    frame_bytes: usize,
    padded_bytes: usize,
    records: u32,
    indexes: FrameIndexes,
    first: Position,
    time: WallMillis,
    offset: u64,
    /// Bytes already written by a short write.
    done: usize,
    written: bool,
    /// When it was first written: since then it counts as acknowledged and not yet durable.
    written_at: Option<MonoNanos>,
    /// It was in a segment that failed; there is no second time.
    rewritten: bool,
}

impl Frame {
    /// A staged frame, padded to whole blocks, without a place in a file.
    pub(super) fn new(
        number: u64,
        staged: StagedFrame,
        first: Position,
        block_bytes: usize,
        time: WallMillis,
    ) -> Self {
        let (mut buffer, records, indexes) = staged.into_parts();
        let frame_bytes = buffer.len();
        buffer.pad_to(block_bytes);
        Self {
            number,
            frame_bytes,
            padded_bytes: buffer.len(),
            buffer: Some(buffer),
            records,
            indexes,
            first,
            time,
            offset: 0,
            done: 0,
            written: false,
            written_at: None,
            rewritten: false,
        }
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn records(&self) -> u32 {
        self.records
    }

    pub(super) const fn indexes(&self) -> FrameIndexes {
        self.indexes
    }

    /// Position of its first record.
    pub(super) const fn first(&self) -> Position {
        self.first
    }

    /// Where it ends in its file, with padding.
    pub(super) const fn end(&self) -> u64 {
        self.offset + self.padded_bytes as u64
    }

    pub(super) const fn is_written(&self) -> bool {
        self.written
    }

    pub(super) const fn written_at(&self) -> Option<MonoNanos> {
        self.written_at
    }

    /// Whether it was in a segment that failed.
    pub(super) const fn is_rewritten(&self) -> bool {
        self.rewritten
    }

    /// Writes the frame's header for the file with this salt, where it stands after `before`.
    ///
    /// # Panics
    /// If the kernel has its bytes.
    pub(super) fn seal(&mut self, salt: Salt, before: Option<FrameBefore>) {
        let buffer = self.buffer.as_mut().expect("nothing is under way");
        let bytes = &mut buffer[..self.frame_bytes];
        FrameHeader::seal_frame_of(bytes, salt, self.records, self.first, self.time, self.indexes, before);
    }

    /// Its place in its file is at this offset.
    pub(super) const fn place(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// It comes out of a segment that failed: nothing of it is written.
    pub(super) const fn move_elsewhere(&mut self) {
        self.done = 0;
        self.written = false;
        self.rewritten = true;
    }

    /// Its first write, for which the kernel gets its bytes.
    ///
    /// # Panics
    /// If the kernel has them.
    pub(super) fn begin(&mut self, file: FileSlot) -> Write {
        let buffer = self.buffer.take().expect("a waiting frame has its buffer");
        self.rest(file, buffer)
    }

    /// A write of it ended. The write of what is left, if something is; that is an error unless it `continues`.
    pub(super) fn resume(
        &mut self,
        file: FileSlot,
        buffer: AlignedBuf,
        done: usize,
        continues: bool,
    ) -> io::Result<Option<Write>> {
        if done > self.done && done < self.padded_bytes && continues {
            self.done = done;
            return Ok(Some(self.rest(file, buffer)));
        }
        self.buffer = Some(buffer);
        if done == self.padded_bytes { Ok(None) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// All of it is written.
    pub(super) fn note_written(&mut self, now: MonoNanos) {
        self.written = true;
        self.written_at.get_or_insert(now);
    }

    /// A write of it failed; its bytes come back.
    pub(super) fn give_back(&mut self, buffer: AlignedBuf) {
        self.buffer = Some(buffer);
    }

    /// How much of it counts as written after `bytes` more. A short write continues at a block's beginning, as direct I/O
    /// needs it.
    pub(super) const fn done_after(&self, bytes: usize, block_bytes: usize) -> usize {
        let done = self.done + bytes;
        if done >= self.padded_bytes { self.padded_bytes } else { done - done % block_bytes }
    }

    /// Its memory, to be used again.
    ///
    /// # Panics
    /// If the kernel has it.
    pub(super) fn into_buffer(self) -> AlignedBuf {
        self.buffer.expect("a written frame has its buffer")
    }

    /// The write of what is not written yet.
    const fn rest(&self, file: FileSlot, buffer: AlignedBuf) -> Write {
        Write { file, offset: self.offset + self.done as u64, buffer, from: self.done }
    }
}
