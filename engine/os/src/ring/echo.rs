//! The bare echo that the shard is measured against: the same ring, flags, buffers and files, and nothing else. It
//! answers each `request_bytes` received, whatever they are, with `reply_bytes`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use io_uring::opcode;
use io_uring::types::Fixed;
use logtank_engine::io::op::ConnectionId;

use super::config::RingConfig;
use super::kernel::{self, Completed, Kernel};
use super::receive_buffers::{GROUP, ReceiveBuffers};
use super::user_data::Purpose;

struct Peer {
    socket: OwnedFd,
    /// Bytes of the request in progress.
    received: usize,
    /// Replies to be sent next.
    owed: usize,
    sending: bool,
    listed: bool,
    gone: bool,
}

/// Serves these sockets until all are closed by their peers.
///
/// # Errors
/// If the ring can't be set up.
pub fn run_echo(
    config: &RingConfig,
    sockets: Vec<OwnedFd>,
    request_bytes: usize,
    reply_bytes: usize,
) -> io::Result<()> {
    let (mut uring, _) = kernel::build()?;
    let (mut kernel, _) = Kernel::new(&mut uring);
    let count = u32::try_from(sockets.len()).expect("few");
    kernel.submitter.register_files_sparse(count)?;
    let mut buffers =
        ReceiveBuffers::new(&kernel.submitter, config.receive_buffers, config.receive_buffer_bytes)?;
    // As many replies in a row as a connection can be owed at once; never changed, so that any send may read it.
    let replies = vec![b'.'; reply_bytes * 4096].leak();
    let mut peers: Vec<Peer> = Vec::new();
    for (slot, socket) in (0..count).zip(sockets) {
        kernel.submitter.register_files_update(slot, &[socket.as_raw_fd()])?;
        peers.push(Peer { socket, received: 0, owed: 0, sending: false, listed: false, gone: false });
        receive(&mut kernel, slot)?;
    }
    let mut open = peers.len();
    let mut listed: Vec<u32> = Vec::new();
    while open > 0 {
        while let Some(completed) = kernel.take() {
            match Purpose::unpack(completed.user_data) {
                Purpose::Receive(ConnectionId { slot, .. }) => {
                    let peer = &mut peers[slot as usize];
                    open -= usize::from(received(completed, peer, &mut buffers, request_bytes));
                    if !completed.more() && !peer.gone {
                        receive(&mut kernel, slot)?;
                    }
                    list(peer, slot, &mut listed);
                }
                Purpose::Send(ConnectionId { slot, .. }) => {
                    let peer = &mut peers[slot as usize];
                    peer.sending = false;
                    list(peer, slot, &mut listed);
                }
                other => unreachable!("{other:?}"),
            }
        }
        kernel.refresh();
        for slot in listed.drain(..) {
            let peer = &mut peers[slot as usize];
            peer.listed = false;
            if peer.sending || peer.gone || peer.owed == 0 {
                continue;
            }
            let len = (peer.owed * reply_bytes).min(replies.len());
            peer.owed -= len / reply_bytes;
            peer.sending = true;
            let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
            let purpose = Purpose::Send(ConnectionId { slot, generation: 0 });
            let len = u32::try_from(len).expect("short");
            let send = opcode::Send::new(Fixed(slot), replies.as_ptr(), len).flags(flags).build();
            // SAFETY: the replies are never freed or changed.
            unsafe { kernel.push(&send.user_data(purpose.pack())) }?;
        }
        buffers.publish();
        kernel.enter(Some(Duration::from_secs(1)), config.busy_poll)?;
    }
    drop(peers.into_iter().map(|peer| peer.socket).collect::<Vec<_>>());
    Ok(())
}

fn receive(kernel: &mut Kernel<'_>, slot: u32) -> io::Result<()> {
    let purpose = Purpose::Receive(ConnectionId { slot, generation: 0 });
    let receive = opcode::RecvMulti::new(Fixed(slot), GROUP).build().user_data(purpose.pack());
    // SAFETY: it points to no memory of its own; the registered buffers outlive every receive, since the loop ends only
    // when all have ended.
    unsafe { kernel.push(&receive) }
}

/// Counts what was received; whether the peer is gone now.
fn received(
    completed: Completed,
    peer: &mut Peer,
    buffers: &mut ReceiveBuffers,
    request_bytes: usize,
) -> bool {
    let count = completed.count();
    if let Some(buffer) = completed.buffer() {
        let filled = buffers.filled(buffer, *count.as_ref().unwrap_or(&0));
        buffers.give(filled);
    }
    match count {
        Ok(0) => peer.gone = true,
        Ok(count) => {
            peer.received += count;
            peer.owed += peer.received / request_bytes;
            peer.received %= request_bytes;
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
        Err(_) => peer.gone = true,
    }
    peer.gone
}

fn list(peer: &mut Peer, slot: u32, listed: &mut Vec<u32>) {
    if !peer.listed {
        peer.listed = true;
        listed.push(slot);
    }
}
