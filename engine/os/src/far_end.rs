//! What the kernel knows of the other end of a connection: what it has received, and whether it is still there.

use std::io;
use std::os::fd::AsRawFd;

/// Where `tcpi_bytes_acked` stands in the kernel's `struct tcp_info` (linux/tcp.h); that of crate libc ends before it.
const ACKNOWLEDGED_AT: usize = 120;
const ACKNOWLEDGED_BYTES: usize = 8;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// It may send more.
    Open,
    /// It sends no more. It may have gone, or wait for answers.
    Finished,
    /// There is nobody any more.
    Gone,
}

/// Bytes that the other end's machine has confirmed. Only differences mean anything.
///
/// # Errors
/// If `socket` is no connection of TCP.
pub fn acknowledged_bytes(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut info = [0u8; ACKNOWLEDGED_AT + ACKNOWLEDGED_BYTES];
    let mut len = libc::socklen_t::try_from(info.len()).expect("small");
    // SAFETY: the kernel writes at most `len` bytes to `info`, which is as long as that, and how many to `len`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    if (len as usize) < info.len() {
        // A kernel before 4.1.
        return Err(io::ErrorKind::Unsupported.into());
    }
    let bytes = info.last_chunk().expect("it is longer");
    Ok(u64::from_ne_bytes(*bytes))
}

/// How it stands with the other end now.
///
/// # Errors
/// The system's.
pub fn far_end(socket: &impl AsRawFd) -> io::Result<FarEnd> {
    let mut polled = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: the kernel reads and writes the one structure that it is given.
    if unsafe { libc::poll(&raw mut polled, 1, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(if polled.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0 {
        FarEnd::Gone
    } else if polled.revents & libc::POLLRDHUP != 0 {
        FarEnd::Finished
    } else {
        FarEnd::Open
    })
}
