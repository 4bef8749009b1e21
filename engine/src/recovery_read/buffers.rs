//! Memory of pages that were sent, for those to come: setting fresh memory to zero costs a page nearly as much as
//! verifying it.

use std::cell::RefCell;

use crate::io::buffers::AlignedBuf;
use crate::limits::SIDECAR_BLOCK_BYTES;

/// Buffers kept at most: recoveries take turns.
const KEPT_MAX: usize = 4;
/// Smaller ones are not worth keeping.
const KEPT_BYTES_MIN: usize = 1 << 20;
/// A buffer may be so much larger than needed: all of it is read into.
const SLACK_BYTES: usize = 2 * SIDECAR_BLOCK_BYTES;

#[derive(Debug)]
pub(super) struct Buffers(RefCell<Vec<AlignedBuf>>);

impl Buffers {
    pub(super) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// A buffer of this capacity, or a little more.
    pub(super) fn take(&self, capacity: usize) -> AlignedBuf {
        let mut kept = self.0.borrow_mut();
        let fits = |buffer: &AlignedBuf| (capacity..=capacity + SLACK_BYTES).contains(&buffer.capacity());
        match kept.iter().position(fits) {
            Some(at) => kept.swap_remove(at),
            // Rounded up, so that it fits the next page as well.
            None => AlignedBuf::with_capacity(capacity.next_multiple_of(SLACK_BYTES)),
        }
    }

    /// Keeps what a page that is done with was read into.
    pub(super) fn keep(&self, buffer: AlignedBuf) {
        if buffer.capacity() >= KEPT_BYTES_MIN {
            let mut kept = self.0.borrow_mut();
            kept.truncate(KEPT_MAX - 1);
            kept.push(buffer);
        }
    }

    /// Gives all memory back.
    pub(super) fn release(&self) {
        self.0.borrow_mut().clear();
    }
}
