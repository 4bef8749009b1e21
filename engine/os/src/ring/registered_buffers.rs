//! Frames' buffers made known to the ring, so that a direct write need not look up and pin their pages each time.
//!
//! Buffers come from the shard's pool and go back to it, so each is registered once, when it is written first. When the
//! pool frees one, its place becomes free here. Without enough lockable memory all goes on unregistered.

use std::io;
use std::sync::{Arc, Mutex};

use io_uring::Submitter;
use logtank_engine::io::AlignedBuf;

/// Buffers registered at once; more than that are written as they are.
const PLACES: u16 = 1024;

/// Kept with a registered buffer, and dropped with it.
#[derive(Debug)]
struct Registration {
    place: u16,
    released: Arc<Mutex<Vec<u16>>>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // The kernel holds the old pages until the place is used again; nobody writes from there, since only the buffer knew it.
        self.released.lock().expect("nobody panics while holding it").push(self.place);
    }
}

#[derive(Debug)]
pub(super) struct RegisteredBuffers {
    /// Places never used, or `None` when registering was refused.
    unused: Option<std::ops::Range<u16>>,
    released: Arc<Mutex<Vec<u16>>>,
}

impl RegisteredBuffers {
    /// Registers none for now, and never any unless `wanted`.
    pub(super) fn new(submitter: &Submitter<'_>, wanted: bool) -> Self {
        let mut buffers = Self { unused: None, released: Arc::default() };
        if wanted && submitter.register_buffers_sparse(PLACES.into()).is_ok() {
            buffers.unused = Some(0..PLACES);
            // The limit of locked memory shows only when something is to be locked.
            let probe = &mut AlignedBuf::with_capacity(1 << 20);
            buffers.place_of(submitter, probe);
        }
        buffers
    }

    /// Whether buffers are registered.
    pub(super) const fn available(&self) -> bool {
        self.unused.is_some()
    }

    /// The place of a buffer; `None`: it is not registered.
    pub(super) fn place_of(&mut self, submitter: &Submitter<'_>, buffer: &mut AlignedBuf) -> Option<u16> {
        let unused = self.unused.as_mut()?;
        if let Some(registration) = buffer.attachment::<Registration>() {
            return Some(registration.place);
        }
        let released = self.released.lock().expect("nobody panics while holding it").pop();
        let place = released.or_else(|| unused.next())?;
        if register(submitter, place, buffer).is_err() {
            self.unused = None;
            return None;
        }
        buffer.attach(Box::new(Registration { place, released: self.released.clone() }));
        Some(place)
    }
}

/// Registers the buffer at a place; what was there before is forgotten.
fn register(submitter: &Submitter<'_>, place: u16, buffer: &mut AlignedBuf) -> io::Result<()> {
    let memory = buffer.whole_mut();
    let vector = libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() };
    // SAFETY: the memory is the buffer's. The kernel pins its pages itself, and is asked to write from them only while
    // the buffer, which never moves them, is in the table of operations.
    unsafe { submitter.register_buffers_update(place.into(), &[vector], None) }
}
