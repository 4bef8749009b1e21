//! Buffers for frames, used again and again: once warm, appending allocates nothing.

use crate::io::buffers::AlignedBuf;
use crate::limits::DIRECT_BLOCK_BYTES;

/// Sizes of 4 KiB doubled 0 to 8 times are kept in lists; greater buffers (single batches beyond a MiB) in one more.
const CLASSES: usize = 9;

/// Lends buffers and takes them back.
///
/// Memory of those lent and those waiting stays at about `bytes_max`: the borrower asks [`Self::lent_bytes`]
/// before it takes more, and what waits is freed when it would not fit beside what is lent.
#[derive(Debug)]
pub(super) struct BufferPool {
    free: [Vec<AlignedBuf>; CLASSES + 1],
    free_bytes: usize,
    lent_bytes: usize,
    bytes_max: usize,
}

impl BufferPool {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { free: Default::default(), free_bytes: 0, lent_bytes: 0, bytes_max }
    }

    /// Memory of the buffers lent.
    pub(super) const fn lent_bytes(&self) -> usize {
        self.lent_bytes
    }

    /// The class of buffers that hold `bytes`, and their capacity.
    fn class_for(bytes: usize) -> (usize, usize) {
        let blocks = bytes.div_ceil(DIRECT_BLOCK_BYTES).max(1).next_power_of_two();
        let class = blocks.trailing_zeros() as usize;
        if class < CLASSES {
            (class, blocks * DIRECT_BLOCK_BYTES)
        } else {
            (CLASSES, bytes.next_multiple_of(DIRECT_BLOCK_BYTES))
        }
    }

    /// What a buffer for `bytes` will have room for.
    pub(super) fn capacity_for(bytes: usize) -> usize {
        Self::class_for(bytes).1
    }

    /// An empty buffer with room for at least `bytes`.
    pub(super) fn take(&mut self, bytes: usize) -> AlignedBuf {
        let (class, capacity) = Self::class_for(bytes);
        let list = &mut self.free[class];
        let found = if class < CLASSES {
            list.len().checked_sub(1)
        } else {
            list.iter().rposition(|free| free.capacity() >= bytes)
        };
        let buffer = match found {
            Some(place) => {
                let mut buffer = list.swap_remove(place);
                self.free_bytes -= buffer.capacity();
                buffer.clear();
                buffer
            }
            None => AlignedBuf::with_capacity(capacity),
        };
        self.lent_bytes += buffer.capacity();
        self.make_fit();
        buffer
    }

    /// Takes a buffer back.
    pub(super) fn give(&mut self, buffer: AlignedBuf) {
        let (class, capacity) = Self::class_for(buffer.capacity());
        assert_eq!(capacity, buffer.capacity(), "the buffer is of this pool");
        self.lent_bytes -= capacity;
        self.free_bytes += capacity;
        self.free[class].push(buffer);
        self.make_fit();
    }

    fn make_fit(&mut self) {
        // The greatest first: they are the rarest needed, and the fewest to free.
        while self.free_bytes > 0 && self.free_bytes + self.lent_bytes > self.bytes_max {
            let list = self.free.iter_mut().rev().find(|list| !list.is_empty()).expect("bytes are free");
            self.free_bytes -= list.pop().expect("not empty").capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_memory_stays_bounded() {
        let mut pool = BufferPool::new(1 << 20);
        for bytes in [1, 4096, 4097, 100_000, 1 << 20, (1 << 20) + 1, 3 << 20] {
            let buffer = pool.take(bytes);
            assert!(buffer.capacity() >= bytes && buffer.capacity() == BufferPool::capacity_for(bytes));
            assert_eq!(pool.lent_bytes(), buffer.capacity());
            let place = buffer.as_ptr();
            pool.give(buffer);
            assert!(pool.free_bytes <= 1 << 20);
            if bytes <= 1 << 20 {
                let again = pool.take(bytes);
                assert_eq!(again.as_ptr(), place, "{bytes} bytes are not allocated again");
                pool.give(again);
            }
        }
        assert_eq!(pool.lent_bytes(), 0);
    }
}
