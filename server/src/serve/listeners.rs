//! Where a host listens. The one place that knows how connections come to be, so that encryption can be added here.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use logtank_os::startup::{StartupError, bind_patiently};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// A process that was killed holds its ports a moment longer than it lives.
const BIND_PATIENCE: Duration = Duration::from_secs(5);
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
    bind_patiently(address, BIND_PATIENCE, || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Without it, a restart would have to wait for the connections of the process before to be forgotten.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Bound(socket))
    })
}

impl Bound {
    /// Opens the port.
    ///
    /// # Errors
    /// The system's: another process may have begun to listen there since.
    pub(super) fn listen(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)?;
        Ok(self.0.into())
    }
}

/// Ends waiting for connections in whichever thread does: it gets an error, and closes the port.
pub(super) fn close(listener: &TcpListener) {
    // The error would be that it is closed already.
    let _ = SockRef::from(listener).shutdown(std::net::Shutdown::Both);
}

/// What each connection needs: replies are small and must not wait for more, and a peer that is gone without a word must
/// be noticed.
///
/// # Errors
/// The system's: the peer may be gone already.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
