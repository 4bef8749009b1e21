//! Batches that were received but not yet handed to the kernel, already in the shape of frames.
//!
//! A batch's records are copied once, from where they were received to behind the frame that is gathering. Frames
//! are numbered in order of arrival, so a batch's number tells when it may be answered; their positions are
//! taken only when they are written. A frame whose positions are taken gets no further batch.

use std::collections::VecDeque;

use super::pool::BufferPool;
use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::FRAME_HEADER_BYTES;
use crate::io::buffers::AlignedBuf;
use crate::limits::FRAME_RECORDS_MAX;
use crate::mutant::bug;

/// A frame without header and padding.
#[derive(Debug)]
pub(super) struct StagedFrame {
    /// Room for the header, then the records.
    buffer: AlignedBuf,
    records: u32,
    /// Which indexes they are of.
    indexes: FrameIndexes,
    /// Its positions are taken, as many as it has records: no batch may join it.
    frozen: bool,
}

impl StagedFrame {
    pub(super) const fn records(&self) -> u32 {
        self.records
    }

    /// Length with the header's room.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Memory of its buffer.
    pub(super) const fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Its buffer, its records and their indexes.
    pub(super) fn into_parts(self) -> (AlignedBuf, u32, FrameIndexes) {
        (self.buffer, self.records, self.indexes)
    }
}

/// Frames in order; the last one is still gathering, unless it is frozen.
#[derive(Debug)]
pub(super) struct Stage {
    frames: VecDeque<StagedFrame>,
    /// Number of the first frame here (or of the next one, if there is none).
    first: u64,
    frame_bytes_target: usize,
    block_bytes: usize,
    /// What the frames here will take of segments.
    frame_bytes: u64,
    /// Length of the frame before: the next one will be about as long.
    last_len: usize,
}

impl Stage {
    pub(super) fn new(frame_bytes_target: usize, block_bytes: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            first: 0,
            frame_bytes_target,
            block_bytes,
            frame_bytes: 0,
            last_len: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Records of the first frame, which gets no further batch: the caller takes as many positions for it.
    pub(super) fn freeze_front(&mut self) -> Option<u32> {
        let frame = self.frames.front_mut()?;
        frame.frozen = true;
        Some(frame.records)
    }

    /// Memory of the frames here.
    pub(super) fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.buffer.capacity()).sum()
    }

    /// What the frames here will take of segments, padding included.
    pub(super) const fn frame_bytes(&self) -> u64 {
        self.frame_bytes
    }

    const fn padded(&self, len: usize) -> u64 {
        len.next_multiple_of(self.block_bytes) as u64
    }

    /// Adds a batch of `records` records of these indexes, which are `bytes` bytes in `pieces`; returns the number of its frame.
    ///
    /// # Panics
    /// If a batch has no record or more than a frame may hold, or the pieces are not `bytes` long.
    pub(super) fn append<'p>(
        &mut self,
        pool: &mut BufferPool,
        records: u32,
        indexes: FrameIndexes,
        bytes: usize,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> u64 {
        assert!((1..=FRAME_RECORDS_MAX).contains(&records), "a batch of {records} records in one frame");
        let fits = self.frames.back().is_some_and(|frame| {
            (!frame.frozen || bug!(FrameUnfrozen))
                && frame.records + records <= FRAME_RECORDS_MAX
                && frame.buffer.len() + bytes <= self.frame_bytes_target
        });
        if !fits {
            let expected = self.last_len.min(self.frame_bytes_target);
            let mut buffer = pool.take((FRAME_HEADER_BYTES + bytes).max(expected));
            buffer.set_len(FRAME_HEADER_BYTES);
            self.frames.push_back(StagedFrame {
                buffer,
                records: 0,
                indexes: FrameIndexes::NONE,
                frozen: false,
            });
        }
        let frame = self.frames.back_mut().expect("there is one now");
        if frame.buffer.room() < bytes {
            let more = (2 * frame.buffer.capacity()).min(self.frame_bytes_target);
            let mut buffer = pool.take(more.max(frame.buffer.len() + bytes));
            buffer.extend(&frame.buffer);
            pool.give(std::mem::replace(&mut frame.buffer, buffer));
        }
        let before = frame.buffer.len();
        pieces.for_each(|piece| frame.buffer.extend(piece));
        assert_eq!(frame.buffer.len() - before, bytes, "the pieces are what was announced");
        frame.records += records;
        frame.indexes.add_all(indexes);
        let counted = if fits { self.padded(before) } else { 0 };
        self.frame_bytes += self.padded(before + bytes) - counted;
        self.first + self.frames.len() as u64 - 1
    }

    /// The first frame and its number, to be written now, in a buffer that is not much greater than it.
    pub(super) fn pop(&mut self, pool: &mut BufferPool) -> Option<(u64, StagedFrame)> {
        let mut frame = self.frames.pop_front()?;
        let number = self.first;
        self.first += 1;
        self.frame_bytes -= self.padded(frame.buffer.len());
        self.last_len = frame.buffer.len();
        // It is kept until it is synced; a small frame must not hold a great buffer for so long.
        if BufferPool::capacity_for(frame.buffer.len()) <= frame.buffer.capacity() / 4 {
            let mut buffer = pool.take(frame.buffer.len());
            buffer.extend(&frame.buffer);
            pool.give(std::mem::replace(&mut frame.buffer, buffer));
        }
        Some((number, frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(stage: &mut Stage, pool: &mut BufferPool, records: u32, bytes: usize) -> u64 {
        let content = vec![7; bytes];
        stage.append(pool, records, FrameIndexes::ALL, bytes, content.chunks(100))
    }

    #[test]
    fn batches_gather_until_a_frame_is_full_by_bytes_or_records() {
        let mut pool = BufferPool::new(1 << 24);
        let mut stage = Stage::new(10_000, 4_096);
        assert_eq!(append(&mut stage, &mut pool, 1, 3_000), 0);
        assert_eq!(append(&mut stage, &mut pool, 1, 3_000), 0);
        assert_eq!(append(&mut stage, &mut pool, 1, 3_900), 0);
        assert_eq!(append(&mut stage, &mut pool, 1, 3_000), 1, "full by bytes");
        assert_eq!(append(&mut stage, &mut pool, FRAME_RECORDS_MAX, 20), 2, "full by records");
        assert_eq!(append(&mut stage, &mut pool, 1, 50_000), 3, "a great batch is a frame of its own");
        let lens: Vec<_> = std::iter::from_fn(|| stage.pop(&mut pool))
            .map(|(n, f)| (n, f.buffer.len(), f.records))
            .collect();
        let frame = |bytes| bytes + FRAME_HEADER_BYTES;
        assert_eq!(
            lens,
            [
                (0, frame(9_900), 3),
                (1, frame(3_000), 1),
                (2, frame(20), FRAME_RECORDS_MAX),
                (3, frame(50_000), 1)
            ]
        );
        assert_eq!(append(&mut stage, &mut pool, 1, 10), 4);
        let (_, small) = stage.pop(&mut pool).unwrap();
        assert_eq!(small.buffer.capacity(), 4096, "a small frame does not hold a great buffer");
    }

    #[test]
    fn what_waits_is_counted_as_it_will_be_written() {
        let mut pool = BufferPool::new(1 << 24);
        let mut stage = Stage::new(10_000, 4_096);
        assert_eq!(stage.frame_bytes(), 0);
        append(&mut stage, &mut pool, 1, 100);
        append(&mut stage, &mut pool, 1, 100);
        assert_eq!(stage.frame_bytes(), 4_096, "padded once, not each batch");
        append(&mut stage, &mut pool, 1, 4_000);
        assert_eq!(stage.frame_bytes(), 8_192);
        append(&mut stage, &mut pool, 1, 20_000);
        assert_eq!(stage.frame_bytes(), 8_192 + 20_480);
        stage.pop(&mut pool);
        assert_eq!(stage.frame_bytes(), 20_480);
        stage.pop(&mut pool);
        assert_eq!(stage.frame_bytes(), 0);
    }

    #[test]
    fn a_frozen_frame_takes_no_batch_and_the_next_one_does() {
        let mut pool = BufferPool::new(1 << 24);
        let mut stage = Stage::new(10_000, 4_096);
        assert_eq!(stage.freeze_front(), None);
        assert_eq!(append(&mut stage, &mut pool, 2, 100), 0);
        assert_eq!(stage.freeze_front(), Some(2));
        assert_eq!(append(&mut stage, &mut pool, 3, 100), 1);
        assert_eq!(append(&mut stage, &mut pool, 4, 100), 1, "only the first is frozen");
        assert_eq!(stage.freeze_front(), Some(2), "as many as before");
        let records: Vec<_> = std::iter::from_fn(|| stage.pop(&mut pool)).map(|(_, f)| f.records).collect();
        assert_eq!(records, [2, 7]);
    }
}
