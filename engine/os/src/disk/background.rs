use std::io;

/// Entries of the submission queue. A background thread rarely has more than a few dozen operations under way,
/// and a full queue is only submitted earlier.
const ENTRIES: u32 = 256;

/// Runs a future on a background ring of this thread; [`super::UringDisk`] and [`crate::clock::SystemClock`]
/// work within it, and so do `tokio_uring::spawn` and tokio's timers.
///
/// Set the thread's priorities before: the ring's workers and the helper threads take them over when they are
/// made. (They take over the processor, too, except for the ring's workers, which run on any.)
///
/// # Errors
/// If the kernel refuses the ring (`crate::startup` tells why and what to do).
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let mut builder = tokio_uring::builder();
    builder.entries(ENTRIES);
    Ok(tokio_uring::Runtime::new(&builder)?.block_on(future))
}
