//! Where a host listens. The one place that knows how connections come to be, so that encryption can be added here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use logtank_os::startup::{StartupError, bind_patiently};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// A process that was killed holds its ports a moment longer than it lives.
const BIND_PATIENCE: Duration = Duration::from_secs(5);
/// So many tries take a few hundred milliseconds.
const TRIES_UNREPORTED: u32 = 10;
/// Of silence, until a peer is asked whether it is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// After an error of accept(2) that says nothing of the listener: one that stays must not keep a processor busy.
pub(super) const ERROR_PAUSE: Duration = Duration::from_millis(10);
/// Connections that the kernel completes before they are accepted: a thousand engines may start at once.
const BACKLOG: i32 = 4096;

/// A bound port on which nobody can connect yet.
#[derive(Debug)]
pub(super) struct Bound(Socket);

/// Takes the port, without listening: who connects before the host is ready is told so by the system at once.
///
/// # Errors
/// If the port is taken, or the address can't be.
pub(super) fn bind(address: SocketAddr) -> Result<Bound, StartupError> {
    let mut tries = 0;
    bind_patiently(address, BIND_PATIENCE, || {
        tries += 1;
        // Not the first: the ports of a process that was killed a moment ago are no news.
        if tries == TRIES_UNREPORTED {
            tracing::info!(%address, "another process has the port; trying for 5 s, in case it is about to end");
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Without it, a restart would have to wait for the connections of the process before to be forgotten.
        socket.set_reuse_address(true)?;
        // Connections inherit both: replies are small and must not wait for more, and a peer that is gone without a
        // word must be noticed on every port.
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(Duration::from_secs(15));
        socket.set_tcp_keepalive(&keepalive)?;
        socket.bind(&address.into())?;
        Ok(Bound(socket))
    })
}

impl Bound {
    /// Where it is, also if any free port was asked for.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an address of IP"))
    }

    /// Opens the port.
    ///
    /// # Errors
    /// The system's: another process may have begun to listen there since.
    pub(super) fn listen(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)?;
        Ok(self.0.into())
    }
}

/// Waits until there may be a connection to accept, but not for longer than this; the listener should not block.
///
/// # Errors
/// The system's.
pub(super) fn wait(listener: &TcpListener, most: Duration) -> io::Result<()> {
    let most = Timespec::try_from(most).expect("seconds");
    match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&most)) {
        // More descriptors to wait for than the process may have: it may open none at all now.
        Err(Errno::INVAL) => Err(Errno::MFILE.into()),
        waited => Ok(waited.map(drop)?),
    }
}

/// Whether accept(2) failed for a peer that was gone before, or was interrupted: nothing to report, nor to wait for.
pub(super) fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Whether accept(2) can't succeed any more on this listener. All other errors are those of one connection, of the
/// network, of a firewall, or pass (accept(2) hands on what is pending on the new socket).
pub(super) fn is_broken(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else { return true };
    [Errno::BADF, Errno::FAULT, Errno::INVAL, Errno::NOTSOCK].contains(&errno)
}

/// Ends waiting for connections in whichever thread does: it gets an error, and closes the port.
pub(super) fn close(listener: &TcpListener) {
    // The error would be that it is closed already.
    let _ = SockRef::from(listener).shutdown(std::net::Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_listener_ends_a_port() {
        let broken: Vec<i32> =
            (1..134).filter(|&errno| is_broken(&io::Error::from_raw_os_error(errno))).collect();
        assert_eq!(broken, [9, 14, 22, 88], "EBADF, EFAULT, EINVAL, ENOTSOCK");
        let peers: Vec<i32> =
            (1..134).filter(|&errno| is_peers(&io::Error::from_raw_os_error(errno))).collect();
        assert_eq!(peers, [4, 103, 104], "EINTR, ECONNABORTED, ECONNRESET");
    }

    #[test]
    fn connections_inherit_keepalive_and_nodelay() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap().listen().unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
    }
}
