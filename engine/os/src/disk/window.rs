use logtank_engine::io::AlignedBuf;
use tokio_uring::buf::{IoBuf, IoBufMut};

/// A stretch of a buffer, owned by an operation in flight: what is read or written, or sent, no more.
pub struct Window {
    buffer: AlignedBuf,
    begin: usize,
    len: usize,
}

impl Window {
    /// Bytes `begin..begin + len` of `buffer`.
    ///
    /// # Panics
    /// If they are not all in use.
    #[must_use]
    pub fn new(buffer: AlignedBuf, begin: usize, len: usize) -> Self {
        assert!(
            begin.checked_add(len).is_some_and(|end| end <= buffer.len()),
            "window beyond the bytes in use"
        );
        Self { buffer, begin, len }
    }

    /// The buffer.
    #[must_use]
    pub fn into_buffer(self) -> AlignedBuf {
        self.buffer
    }
}

// SAFETY: the pointer leads into heap memory that the buffer owns and never reallocates, so moving the window
// leaves it where it is, and nobody else can reach the buffer before the window gives it back. All of it was
// initialized when it was allocated, and the window lies within it (checked by `new`, never changed).
unsafe impl IoBuf for Window {
    fn stable_ptr(&self) -> *const u8 {
        self.buffer[self.begin..self.begin + self.len].as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len
    }

    fn bytes_total(&self) -> usize {
        self.len
    }
}

// SAFETY: as above; `&mut self` shows that no other pointer to the memory is in use.
unsafe impl IoBufMut for Window {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.buffer[self.begin..self.begin + self.len].as_mut_ptr()
    }

    // SAFETY: nothing to uphold; the window counts as initialized from the beginning.
    unsafe fn set_init(&mut self, _pos: usize) {}
}
