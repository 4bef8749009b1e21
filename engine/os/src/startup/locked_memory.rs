use std::io;

use io_uring::IoUring;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::startup_error::StartupError;

/// The kernel takes one registered buffer of up to 1 GiB.
const BUFFER_BYTES_MAX: usize = 1 << 30;

/// Whether `bytes` of buffers can be registered with rings of this process. Raises the limit on locked memory as far
/// as this process may. The kernel counts over all processes of the user and exempts the privileged, so it is tried:
/// that needs `bytes` of memory for a moment. Blocks, about a millisecond for 4 MiB.
///
/// # Errors
/// [`StartupError::LockedMemory`] if they can't: the host can run without registering. Others if the check failed.
pub fn check_registered_bytes(bytes: usize) -> Result<(), StartupError> {
    let failed =
        |source| StartupError::Failed { what: "trying how much memory may be locked".into(), source };
    let limit = getrlimit(Resource::Memlock);
    if limit.current.is_some_and(|current| current < bytes as u64) {
        // Half a way is of no use, and a refusal shows below.
        let _ = setrlimit(Resource::Memlock, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    if bytes == 0 {
        return Ok(());
    }
    let ring = IoUring::new(4).map_err(failed)?;
    let mut memory = vec![0u8; bytes];
    let buffers: Vec<libc::iovec> = memory
        .chunks_mut(BUFFER_BYTES_MAX)
        .map(|chunk| libc::iovec { iov_base: chunk.as_mut_ptr().cast(), iov_len: chunk.len() })
        .collect();
    // SAFETY: the buffers lie in `memory`, which outlives the ring: it is dropped below, before `memory` is.
    let registered = unsafe { ring.submitter().register_buffers(&buffers) };
    drop(ring);
    match registered {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            let limit_bytes = getrlimit(Resource::Memlock).current.unwrap_or(u64::MAX);
            Err(StartupError::LockedMemory { wanted_bytes: bytes as u64, limit_bytes })
        }
        Err(error) => Err(failed(error)),
    }
}
