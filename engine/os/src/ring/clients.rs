//! The other side: many connections of a load generator on one ring, set up as the host's is, so that the generator
//! costs no more than what it measures.

use std::io;
use std::net::Shutdown;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::Bytes;
use io_uring::opcode;
use io_uring::types::Fixed;
use logtank_engine::io::op::ConnectionId;

use super::config::RingConfig;
use super::kernel::{self, Completed, Kernel};
use super::receive_buffers::{GROUP, ReceiveBuffers};
use super::user_data::Purpose;

/// What the generator does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Wait for something to arrive, but not longer than this.
    Wait(Duration),
    /// Look whether something has arrived, and come back at once.
    Poll,
    /// Close all connections.
    End,
}

/// A load generator, driven by what arrives.
pub trait Clients {
    /// Bytes arrived on a connection.
    fn received(&mut self, connection: usize, bytes: &[u8]);
    /// A connection is of no use any more; nothing comes from it again.
    fn closed(&mut self, connection: usize, why: io::Error);
    /// Appends what is to be sent now, at most one request a connection until something was received on it again.
    fn turn(&mut self, send: &mut Vec<(usize, Bytes)>) -> Turn;
}

#[derive(Default)]
struct Peer {
    /// Memory that the kernel sends from.
    sending: Option<Bytes>,
    receiving: bool,
    gone: bool,
}

/// Drives `clients` over these sockets until it wants to end.
///
/// # Errors
/// If the ring can't be set up.
pub fn run_clients(config: &RingConfig, sockets: &[TcpStream], clients: &mut dyn Clients) -> io::Result<()> {
    let (mut uring, _) = kernel::build()?;
    let (mut kernel, _) = Kernel::new(&mut uring);
    let count = u32::try_from(sockets.len()).expect("few");
    kernel.submitter.register_files_sparse(count)?;
    let mut buffers =
        ReceiveBuffers::new(&kernel.submitter, config.receive_buffers, config.receive_buffer_bytes)?;
    let descriptors: Vec<_> = sockets.iter().map(TcpStream::as_raw_fd).collect();
    kernel.submitter.register_files_update(0, &descriptors)?;
    let mut peers: Vec<Peer> = sockets.iter().map(|_| Peer::default()).collect();
    let outcome = serve(config, &mut kernel, &mut buffers, &mut peers, clients);
    for socket in sockets {
        // One that the other side has closed is as good as shut down.
        let _ = socket.shutdown(Shutdown::Both);
    }
    // The kernel may touch the memory of what is under way until its completion was taken.
    while peers.iter().any(|peer| peer.receiving || peer.sending.is_some()) {
        while let Some(completed) = kernel.take() {
            take(completed, &mut peers, &mut buffers);
        }
        kernel.refresh();
        buffers.publish();
        if let Err(error) = kernel.enter(Some(Duration::from_secs(1)), Duration::ZERO) {
            buffers.leak();
            std::mem::forget(peers);
            return Err(error);
        }
    }
    outcome
}

fn serve(
    config: &RingConfig,
    kernel: &mut Kernel<'_>,
    buffers: &mut ReceiveBuffers,
    peers: &mut [Peer],
    clients: &mut dyn Clients,
) -> io::Result<()> {
    for (slot, peer) in (0..).zip(peers.iter_mut()) {
        receive(kernel, peer, slot)?;
    }
    let mut outbox = Vec::new();
    loop {
        while let Some(completed) = kernel.take() {
            let Some((slot, event)) = take(completed, peers, buffers) else { continue };
            let peer = &mut peers[slot as usize];
            match event {
                Event::Received(filled) => {
                    clients.received(slot as usize, buffers.bytes(&filled));
                    buffers.give(filled);
                }
                Event::Sent | Event::Nothing => {}
                Event::Failed(_) if peer.gone => {}
                Event::Failed(error) => {
                    peer.gone = true;
                    clients.closed(slot as usize, error);
                }
            }
            if !peer.receiving && !peer.gone {
                receive(kernel, peer, slot)?;
            }
        }
        kernel.refresh();
        let next = clients.turn(&mut outbox);
        for (connection, request) in outbox.drain(..) {
            let slot = u32::try_from(connection).expect("connections are numbered as the sockets are");
            send(kernel, &mut peers[connection], slot, request)?;
        }
        buffers.publish();
        match next {
            Turn::Wait(patience) => kernel.enter(Some(patience), config.busy_poll)?,
            Turn::Poll => kernel.enter(Some(Duration::ZERO), Duration::ZERO)?,
            Turn::End => return Ok(()),
        }
    }
}

fn receive(kernel: &mut Kernel<'_>, peer: &mut Peer, slot: u32) -> io::Result<()> {
    let purpose = Purpose::Receive(ConnectionId { slot, generation: 0 });
    let receive = opcode::RecvMulti::new(Fixed(slot), GROUP).build().user_data(purpose.pack());
    // SAFETY: it points to no memory of its own; the registered buffers outlive every receive, since `run_clients` waits
    // for the end of each.
    unsafe { kernel.push(&receive) }?;
    peer.receiving = true;
    Ok(())
}

fn send(kernel: &mut Kernel<'_>, peer: &mut Peer, slot: u32, request: Bytes) -> io::Result<()> {
    if peer.gone {
        return Ok(());
    }
    assert!(peer.sending.is_none(), "a request before the one in front of it was sent");
    let purpose = Purpose::Send(ConnectionId { slot, generation: 0 });
    let len = u32::try_from(request.len()).expect("requests are shorter than 4 GiB");
    let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
    let entry = opcode::Send::new(Fixed(slot), request.as_ptr(), len).flags(flags).build();
    peer.sending = Some(request);
    // SAFETY: the table holds the memory, which nobody changes, until the completion was taken.
    unsafe { kernel.push(&entry.user_data(purpose.pack())) }
}

enum Event {
    Received(super::receive_buffers::Filled),
    Sent,
    Failed(io::Error),
    Nothing,
}

/// Notes in the tables what has ended.
fn take(completed: Completed, peers: &mut [Peer], buffers: &mut ReceiveBuffers) -> Option<(u32, Event)> {
    match Purpose::unpack(completed.user_data) {
        Purpose::Receive(ConnectionId { slot, .. }) => {
            let count = completed.count();
            peers[slot as usize].receiving = completed.more();
            if let Some(buffer) = completed.buffer() {
                let filled = buffers.filled(buffer, *count.as_ref().unwrap_or(&0));
                if filled.len() > 0 {
                    return Some((slot, Event::Received(filled)));
                }
                buffers.give(filled);
            }
            let event = match count {
                Ok(_) => Event::Failed(io::ErrorKind::UnexpectedEof.into()),
                // All buffers were in use for a moment.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Event::Nothing,
                Err(error) => Event::Failed(error),
            };
            Some((slot, event))
        }
        Purpose::Send(ConnectionId { slot, .. }) => {
            let peer = &mut peers[slot as usize];
            let request = peer.sending.take().expect("a send ends once");
            let event = match completed.count() {
                Ok(count) if count == request.len() => Event::Sent,
                Ok(_) => Event::Failed(io::ErrorKind::WriteZero.into()),
                Err(error) => Event::Failed(error),
            };
            Some((slot, event))
        }
        other => unreachable!("{other:?}"),
    }
}
