//! Buffers that direct I/O accepts: aligned in memory, owned, passed to the kernel and handed back.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::limits::DIRECT_BLOCK_BYTES;

/// A byte buffer whose memory begins at a multiple of [`DIRECT_BLOCK_BYTES`] and whose capacity is one.
///
/// It never moves its bytes and never grows: an operation in flight may point into it. It dereferences to
/// the bytes in use.
pub struct AlignedBuf {
    // Over-allocated by one block, so that an aligned stretch of `capacity` bytes lies within it.
    memory: Box<[u8]>,
    begin: usize,
    capacity: usize,
    len: usize,
    attachment: Option<Box<dyn Any + Send>>,
}

impl AlignedBuf {
    /// An empty buffer with room for at least `capacity` bytes, zeroed.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(DIRECT_BLOCK_BYTES).max(DIRECT_BLOCK_BYTES);
        let memory = vec![0; capacity + DIRECT_BLOCK_BYTES].into_boxed_slice();
        let begin = memory.as_ptr().addr().next_multiple_of(DIRECT_BLOCK_BYTES) - memory.as_ptr().addr();
        Self { memory, begin, capacity, len: 0, attachment: None }
    }

    /// A buffer that holds a copy of `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut buffer = Self::with_capacity(bytes.len());
        buffer.extend(bytes);
        buffer
    }

    /// Bytes that fit.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that still fit behind those in use.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Forgets the bytes in use.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// If they don't fit: the caller asks [`Self::room`] first.
    pub fn extend(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.room(), "buffer overrun");
        let at = self.begin + self.len;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Sets how many bytes are in use; those not written before are whatever the buffer held.
    ///
    /// # Panics
    /// If `len` exceeds the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "length beyond capacity");
        self.len = len;
    }

    /// Appends zeros up to a multiple of `block` bytes.
    ///
    /// # Panics
    /// If they don't fit.
    pub fn pad_to(&mut self, block: usize) {
        let padded = self.len.next_multiple_of(block);
        assert!(padded <= self.capacity, "buffer overrun");
        self.memory[self.begin + self.len..self.begin + padded].fill(0);
        self.len = padded;
    }

    /// What a driver keeps with this memory, if it is of this type.
    #[must_use]
    pub fn attachment<T: 'static>(&self) -> Option<&T> {
        self.attachment.as_ref()?.downcast_ref()
    }

    /// Keeps something with this memory (what the kernel knows it by, say); it is dropped with it.
    pub fn attach(&mut self, attachment: Box<dyn Any + Send>) {
        self.attachment = Some(attachment);
    }

    /// The whole memory, also what is not in use.
    pub fn whole_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.begin..self.begin + self.capacity]
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.begin..self.begin + self.len]
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.begin..self.begin + self.len]
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBuf({} of {} bytes)", self.len, self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_and_padding_is_zero() {
        for capacity in [0, 1, 4096, 5000] {
            let mut buffer = AlignedBuf::with_capacity(capacity);
            assert!(buffer.as_ptr().addr().is_multiple_of(DIRECT_BLOCK_BYTES));
            buffer.whole_mut().fill(7);
            buffer.extend(b"x");
            buffer.pad_to(8);
            assert_eq!(&*buffer, b"x\0\0\0\0\0\0\0");
        }
    }
}
