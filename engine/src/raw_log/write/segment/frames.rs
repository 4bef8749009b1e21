//! The frames of a segment that are not synced, in order.

use std::collections::VecDeque;
use std::io;

use super::frame::Frame;
use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::{FRAMES_OFFSET, FrameBefore, Header};
use crate::io::buffers::AlignedBuf;
use crate::io::op::{FileSlot, Write};
use crate::mutant::or_bug;
use crate::time::MonoNanos;

/// Their places in the file, and how far each is.
#[derive(Debug)]
pub(super) struct Frames {
    file: FileSlot,
    file_bytes: u64,
    block_bytes: usize,
    queue: VecDeque<Frame>,
    /// How many were begun to be written (they are begun in order).
    begun: usize,
    /// How many of the first ones are written.
    written: usize,
    /// Where the next frame begins.
    end: u64,
    /// Where the last one does, and which indexes it holds.
    last: Option<(u64, FrameIndexes)>,
    /// To where write-out was begun.
    written_out: u64,
}

impl Frames {
    pub(super) const fn new(file: FileSlot, header: &Header) -> Self {
        Self {
            file,
            file_bytes: header.file_bytes,
            block_bytes: header.block_bytes as usize,
            queue: VecDeque::new(),
            begun: 0,
            written: 0,
            end: FRAMES_OFFSET,
            last: None,
            written_out: FRAMES_OFFSET,
        }
    }

    pub(super) const fn file(&self) -> FileSlot {
        self.file
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Where the next frame begins.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// What the next frame is to say of the last one.
    pub(super) fn before_next(&self) -> Option<FrameBefore> {
        let (begin, indexes) = self.last?;
        let bytes = u32::try_from(self.end - begin).ok()?;
        Some(FrameBefore { bytes, indexes })
    }

    /// Adds a frame after the others, of which nothing is written.
    ///
    /// # Panics
    /// If it does not fit or does not follow: bugs.
    pub(super) fn push(&mut self, mut frame: Frame) {
        if let Some(last) = self.queue.back() {
            assert!(last.number() < frame.number() && last.first() < frame.first(), "frames in order");
        }
        frame.place(self.end);
        assert!(frame.end() <= self.file_bytes, "a frame beyond the segment's end");
        self.last = Some((self.end, frame.indexes()));
        self.end = frame.end();
        self.queue.push_back(frame);
    }

    /// Whether frames wait to be begun.
    pub(super) fn has_waiting(&self) -> bool {
        self.begun < self.queue.len()
    }

    /// The write of the next frame that waits, if one does, and the frame's number. It counts as begun.
    pub(super) fn begin_next(&mut self) -> Option<(u64, Write)> {
        let frame = self.queue.get_mut(self.begun)?;
        self.begun += 1;
        Some((frame.number(), frame.begin(self.file)))
    }

    /// A write of a frame ended. The write of what is left of it, if something is; that is an error unless it `continues`.
    ///
    /// # Errors
    /// The write's, or that no whole block was written.
    ///
    /// # Panics
    /// If there is no frame of this number: a completion for nothing.
    pub(super) fn written(
        &mut self,
        number: u64,
        buffer: AlignedBuf,
        result: io::Result<usize>,
        continues: bool,
        now: MonoNanos,
    ) -> io::Result<Option<Write>> {
        let place = self.queue.binary_search_by_key(&number, Frame::number);
        let frame = &mut self.queue[place.expect("frames under way are kept")];
        let done = match result {
            Ok(bytes) => frame.done_after(bytes, self.block_bytes),
            Err(error) => {
                frame.give_back(buffer);
                return Err(error);
            }
        };
        let rest = frame.resume(self.file, buffer, done, continues)?;
        if rest.is_none() {
            frame.note_written(now);
            while self.queue.get(self.written).is_some_and(Frame::is_written) {
                self.written += 1;
            }
        }
        Ok(rest)
    }

    /// How many of the first ones are written.
    pub(super) const fn written_in_a_row(&self) -> usize {
        self.written
    }

    /// The number of the one that `before` others are before.
    pub(super) fn number_at(&self, before: usize) -> Option<u64> {
        self.queue.get(before).map(Frame::number)
    }

    /// Just past the greatest number.
    pub(super) fn end_number(&self) -> Option<u64> {
        self.queue.back().map(|last| last.number() + 1)
    }

    /// When the first one was written.
    pub(super) fn first_written_at(&self) -> Option<MonoNanos> {
        let newest = || self.queue.get(self.written.wrapping_sub(1));
        or_bug!(IntervalRestarted, self.queue.front(), newest()).and_then(Frame::written_at)
    }

    /// Whether one of them was in a segment that failed.
    pub(super) fn has_rewritten(&self) -> bool {
        self.queue.iter().any(Frame::is_rewritten)
    }

    /// The range to begin writing out, once `step` bytes in a row are written.
    pub(super) fn write_out(&mut self, step: u64) -> Option<(u64, u64)> {
        let (begin, end) = (self.written_out, self.queue.get(self.written.checked_sub(1)?)?.end());
        if step == 0 || end - begin < step {
            return None;
        }
        self.written_out = end;
        Some((begin, end - begin))
    }

    /// The first `count` come out.
    ///
    /// # Panics
    /// If they are not all written.
    pub(super) fn take_first(&mut self, count: usize) -> impl Iterator<Item = Frame> + '_ {
        assert!(count <= self.written, "only what was written can be synced");
        self.begun -= count;
        self.written -= count;
        self.queue.drain(..count)
    }

    /// All come out, to be written elsewhere. The kernel must have none.
    pub(super) fn take_all(&mut self) -> VecDeque<Frame> {
        self.begun = 0;
        self.written = 0;
        std::mem::take(&mut self.queue)
    }
}
