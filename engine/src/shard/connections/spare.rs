//! Buffers for replies, to be used again.

/// Buffers kept, and how great each may be.
const SPARE_MAX: usize = 1024;
const SPARE_BYTES_MAX: usize = 16 * 1024;

/// Empty buffers.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<Vec<u8>>);

impl Spare {
    /// An empty buffer.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    /// A buffer that is needed no more.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        if self.0.len() < SPARE_MAX && buffer.capacity() <= SPARE_BYTES_MAX {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}
