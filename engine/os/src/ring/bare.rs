//! A shard's ring without the shard: connections whose bytes come and go as a host's do, for what hosts are measured by.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use bytes::Bytes;
use io_uring::opcode;
use io_uring::types::Fixed;
use logtank_engine::io::ConnectionId;
use rustix::net::Shutdown;

use super::config::RingConfig;
use super::kernel::{self, Kernel};
use super::receive_buffers::{Filled, GROUP, ReceiveBuffers};
use super::user_data::Purpose;

/// What happened to a connection.
#[derive(Debug)]
pub enum Arrived<'b> {
    /// Bytes were received.
    Bytes(&'b [u8]),
    /// What was sent last is the kernel's.
    Sent,
    /// Nothing comes or goes any more. Reported once.
    Closed(io::Error),
}

#[derive(Default)]
struct Peer {
    /// Memory that the kernel sends from.
    sending: Option<Bytes>,
    receiving: bool,
    gone: bool,
}

/// Connections on a ring that is set up as a shard's is: flags, fixed files, receives into shared buffers.
pub struct BareRing<'r> {
    kernel: Kernel<'r>,
    buffers: ReceiveBuffers,
    sockets: Vec<BorrowedFd<'r>>,
    peers: Vec<Peer>,
    /// The buffer that was shown last.
    shown: Option<Filled>,
    busy_poll: Duration,
}

/// Runs `work` with these sockets on a ring of this thread, then shuts them down. Connections are numbered as the sockets.
///
/// # Errors
/// If the ring can't be set up; those of `work`.
///
/// # Panics
/// If there are 4 billion sockets or more.
pub fn on_bare_ring<T>(
    config: &RingConfig,
    sockets: &[impl AsFd],
    work: impl FnOnce(&mut BareRing<'_>) -> io::Result<T>,
) -> io::Result<T> {
    let (mut uring, _) = kernel::build()?;
    let (kernel, _) = Kernel::new(&mut uring);
    let count = u32::try_from(sockets.len()).expect("few");
    kernel.submitter.register_files_sparse(count)?;
    let buffers =
        ReceiveBuffers::new(&kernel.submitter, config.receive_buffers, config.receive_buffer_bytes)?;
    let sockets: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
    let descriptors: Vec<_> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    kernel.submitter.register_files_update(0, &descriptors)?;
    let peers = sockets.iter().map(|_| Peer::default()).collect();
    let mut ring = BareRing { kernel, buffers, sockets, peers, shown: None, busy_poll: config.busy_poll };
    for slot in 0..count {
        ring.receive(slot)?;
    }
    work(&mut ring)
}

impl BareRing<'_> {
    /// What has arrived and was not returned yet: the connection's number, and what.
    ///
    /// # Errors
    /// The ring's.
    #[expect(clippy::should_implement_trait, reason = "what it returns borrows from the ring")]
    pub fn next(&mut self) -> io::Result<Option<(usize, Arrived<'_>)>> {
        self.give_back();
        while let Some(completed) = self.kernel.take() {
            let (slot, closed) = match Purpose::unpack(completed.user_data) {
                Purpose::Receive(ConnectionId { slot, .. }) => {
                    let peer = &mut self.peers[slot as usize];
                    peer.receiving = completed.more();
                    let count = completed.count();
                    if let Some(buffer) = completed.buffer() {
                        self.shown = Some(self.buffers.filled(buffer, *count.as_ref().unwrap_or(&0)));
                    }
                    match count {
                        Ok(0) => (slot, Some(io::ErrorKind::UnexpectedEof.into())),
                        Ok(_) => (slot, None),
                        // All buffers were in use for a moment.
                        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => (slot, None),
                        Err(error) => (slot, Some(error)),
                    }
                }
                Purpose::Send(ConnectionId { slot, .. }) => {
                    let request = self.peers[slot as usize].sending.take().expect("a send ends once");
                    match completed.count() {
                        Ok(count) if count == request.len() => {
                            return Ok(Some((slot as usize, Arrived::Sent)));
                        }
                        Ok(_) => (slot, Some(io::ErrorKind::WriteZero.into())),
                        Err(error) => (slot, Some(error)),
                    }
                }
                other => unreachable!("{other:?}"),
            };
            let peer = &mut self.peers[slot as usize];
            let was_gone = peer.gone;
            peer.gone |= closed.is_some();
            if !peer.receiving && !peer.gone {
                self.receive(slot)?;
            }
            match closed {
                Some(_) if was_gone => self.give_back(),
                Some(error) => return Ok(Some((slot as usize, Arrived::Closed(error)))),
                None if self.shown.is_some() => {
                    let bytes = self.shown.as_ref().map_or(&[][..], |shown| self.buffers.bytes(shown));
                    return Ok(Some((slot as usize, Arrived::Bytes(bytes))));
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// Sends these bytes; of a connection that is closed, nothing happens.
    ///
    /// # Errors
    /// The ring's.
    ///
    /// # Panics
    /// If what was sent before has not arrived as [`Arrived::Sent`], or 4 GiB are sent at once.
    pub fn send(&mut self, connection: usize, bytes: Bytes) -> io::Result<()> {
        let slot = u32::try_from(connection).expect("connections are numbered as the sockets are");
        let peer = &mut self.peers[connection];
        if peer.gone {
            return Ok(());
        }
        assert!(peer.sending.is_none(), "one thing is sent after the other");
        let purpose = Purpose::Send(ConnectionId { slot, generation: 0 });
        let len = u32::try_from(bytes.len()).expect("shorter than 4 GiB");
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), len).flags(flags).build();
        peer.sending = Some(bytes);
        // SAFETY: the table holds the memory, which does not change, until the completion was taken.
        unsafe { self.kernel.push(&entry.user_data(purpose.pack())) }
    }

    /// Begins what is to be sent, and waits until something arrives, but no longer than this.
    ///
    /// # Errors
    /// The ring's.
    pub fn wait(&mut self, patience: Duration) -> io::Result<()> {
        self.give_back();
        self.kernel.refresh();
        self.buffers.publish();
        self.kernel.enter(Some(patience), self.busy_poll)
    }

    fn receive(&mut self, slot: u32) -> io::Result<()> {
        let purpose = Purpose::Receive(ConnectionId { slot, generation: 0 });
        let receive = opcode::RecvMulti::new(Fixed(slot), GROUP).build().user_data(purpose.pack());
        self.peers[slot as usize].receiving = true;
        // SAFETY: it points to no memory of its own; the registered buffers outlive every receive, since the drop waits for
        // the end of each.
        unsafe { self.kernel.push(&receive) }
    }

    fn give_back(&mut self) {
        if let Some(shown) = self.shown.take() {
            self.buffers.give(shown);
        }
    }

    /// Waits until the kernel uses no memory of this ring.
    fn finish(&mut self) -> io::Result<()> {
        for peer in &mut self.peers {
            peer.gone = true;
        }
        for socket in &self.sockets {
            // One that the other side has closed is as good as shut down.
            let _ = rustix::net::shutdown(socket, Shutdown::Both);
        }
        loop {
            while self.next()?.is_some() {}
            if !self.peers.iter().any(|peer| peer.receiving || peer.sending.is_some()) {
                return Ok(());
            }
            self.wait(Duration::from_secs(1))?;
        }
    }
}

impl Drop for BareRing<'_> {
    fn drop(&mut self) {
        if self.finish().is_err() {
            self.buffers.leak();
            std::mem::forget(std::mem::take(&mut self.peers));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn on_ring<T>(sockets: &[UnixStream], work: impl FnOnce(&mut BareRing<'_>) -> io::Result<T>) -> T {
        on_bare_ring(&RingConfig::default(), sockets, work).unwrap()
    }

    /// The next that arrives: bytes, or whether it is closed.
    fn arrival(ring: &mut BareRing<'_>) -> (usize, Result<Vec<u8>, bool>) {
        loop {
            match ring.next().unwrap() {
                Some((connection, Arrived::Bytes(bytes))) => return (connection, Ok(bytes.to_vec())),
                Some((connection, Arrived::Sent)) => return (connection, Err(false)),
                Some((connection, Arrived::Closed(_))) => return (connection, Err(true)),
                None => ring.wait(PATIENCE).unwrap(),
            }
        }
    }

    #[test]
    fn bytes_come_and_go_and_an_end_is_reported_once() {
        let ((mut ours, theirs), (mut other, second)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let sockets = [theirs, second];
        on_ring(&sockets, |ring| {
            ours.write_all(b"request").unwrap();
            assert_eq!(arrival(ring), (0, Ok(b"request".to_vec())));
            ring.send(1, Bytes::from_static(b"reply")).unwrap();
            assert_eq!(arrival(ring), (1, Err(false)));
            let mut reply = [0; 5];
            other.read_exact(&mut reply).unwrap();
            assert_eq!(&reply, b"reply");
            drop(ours);
            assert_eq!(arrival(ring), (0, Err(true)));
            // Nothing happens.
            ring.send(0, Bytes::from_static(b"late")).unwrap();
            ring.wait(Duration::ZERO).unwrap();
            assert!(ring.next().unwrap().is_none());
            Ok(())
        });
        assert_eq!(other.read(&mut [0; 9]).unwrap(), 0, "the sockets are shut down at the end");
    }

    #[test]
    fn the_end_waits_for_what_the_kernel_still_sends() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let long = Bytes::from(vec![b'x'; 16 << 20]);
        on_ring(&[theirs], |ring| {
            // More than the socket takes: it stays under way until the socket is shut down.
            ring.send(0, long.clone())?;
            ring.wait(Duration::ZERO)
        });
        assert!(long.is_unique(), "the ring has let go of the memory");
        let mut received = Vec::new();
        ours.read_to_end(&mut received).unwrap();
        assert!(received.len() < long.len());
    }
}
