//! Connections between the ring and the shard.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use io_uring::Submitter;
use logtank_engine::handshakes::Handshakes;
use logtank_engine::io::{Completion, ConnectionId};
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::shard::Received;
use rustix::net::getpeername;

use super::config::RingConfig;
use super::core::Core;
use super::kernel::{Completed, Kernel};
use super::places;
use super::receive_buffers::{Filled, ReceiveBuffers};
use super::secured::Secured;
use super::sockets::Sockets;
use crate::tls::TlsConfig;

/// Handshakes that wait for their turn at most; a few tenths of a second's.
const HANDSHAKES_WAITING_MAX: usize = 1024;

/// Received bytes that the shard has not taken yet.
#[derive(Debug)]
struct Held {
    connection: ConnectionId,
    filled: Filled,
    /// How many of them it has taken.
    taken: usize,
}

/// The shard's connections, and what they sent that it has not taken yet.
pub(super) struct Network {
    sockets: Sockets,
    buffers: ReceiveBuffers,
    held: VecDeque<Held>,
    /// Connections that wait for a free buffer.
    starved: Vec<ConnectionId>,
    /// Encrypted connections that wait for a step of their handshake.
    handshakes: Handshakes<ConnectionId>,
    /// How connections are encrypted; `None`: not at all.
    tls: Option<TlsConfig>,
    metrics: Arc<ShardMetrics>,
}

impl Network {
    pub(super) fn new(
        submitter: &Submitter<'_>,
        ring: &RingConfig,
        metrics: Arc<ShardMetrics>,
    ) -> io::Result<Self> {
        Ok(Self {
            sockets: Sockets::default(),
            buffers: ReceiveBuffers::new(submitter, ring.receive_buffers, ring.receive_buffer_bytes)?,
            held: VecDeque::new(),
            starved: Vec::new(),
            handshakes: Handshakes::new(HANDSHAKES_WAITING_MAX),
            tls: ring.tls.clone(),
            metrics,
        })
    }

    /// Whether the shard has taken all that was received.
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether there is something to do as soon as the shard may receive.
    pub(super) fn waits(&self) -> bool {
        !self.held.is_empty() || !self.handshakes.is_empty()
    }

    /// A client's connected socket.
    pub(super) fn accept(&mut self, core: &mut Core<'_>, socket: OwnedFd) -> io::Result<()> {
        // Replies are small and one send each; waiting for more to send would only delay them. Sockets that are no TCP
        // don't know the option, and need it not.
        let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        let address = address_of(&socket);
        // Whoever has sent something does not rest.
        self.offer_held(core)?;
        // Without a place the socket is dropped, which closes it.
        let Some(id) = core.shard.accept(address, core.now()) else { return Ok(()) };
        let place = places::of_connection(id).0;
        if core.kernel.submitter.register_files_update(place, &[socket.as_raw_fd()]).is_err() {
            // The kernel has no memory for it. That ends this connection and nothing else.
            core.complete(Completion::Closed { connection: id });
            return Ok(());
        }
        let secured = self.tls.as_ref().map(Secured::new);
        if secured.is_some() {
            core.shard.begun(id, core.now());
        }
        self.sockets.open(id, secured).resume(&mut core.kernel)
    }

    pub(super) fn received(
        &mut self,
        core: &mut Core<'_>,
        id: ConnectionId,
        completed: Completed,
    ) -> io::Result<()> {
        let result = completed.count();
        let len = *result.as_ref().unwrap_or(&0);
        let filled = completed.buffer().map(|buffer| self.buffers.filled(buffer, len));
        let socket = self.sockets.get(id);
        socket.received(completed);
        match filled {
            Some(filled) if len == 0 => self.buffers.give(filled),
            Some(filled) if socket.awaits_step() => self.await_step(core, id, filled),
            Some(filled) => {
                self.held.push_back(Held { connection: id, filled, taken: 0 });
                self.offer_held(core)?;
            }
            None => {}
        }
        match Next::after(result) {
            Next::Receive => self.sockets.get(id).arm_again(&mut core.kernel)?,
            Next::Starve => self.starved.push(id),
            Next::End => {
                self.sockets.get(id).ended();
                self.finished(core, id);
            }
        }
        self.rest(core, id)
    }

    /// The peer sends no more; what was received before is offered first.
    fn finished(&mut self, core: &mut Core<'_>, id: ConnectionId) {
        if self.sockets.secured(id).is_some_and(Secured::peer_finished) {
            return;
        }
        if self.held.iter().any(|held| held.connection == id) {
            // A whole message may still be in what the shard has no room for; the order must hold.
            self.held.push_back(Held { connection: id, filled: Filled::END, taken: 0 });
        } else {
            core.shard.peer_finished(id, core.now());
        }
    }

    /// Offers what is held, as far as there is room.
    pub(super) fn offer_held(&mut self, core: &mut Core<'_>) -> io::Result<()> {
        let now = core.now();
        while let Some(mut held) = self.held.pop_front() {
            let id = held.connection;
            if held.filled.is_end() {
                core.shard.peer_finished(id, now);
                continue;
            }
            let mut bytes = &self.buffers.bytes(&held.filled)[held.taken..];
            let received = match self.sockets.secured(id) {
                None => core.shard.receive(id, &mut bytes, now),
                Some(secured) => secured.receive(&mut core.shard, id, &mut bytes, now),
            };
            held.taken = held.filled.len() - bytes.len();
            match received {
                Received::All => self.buffers.give(held.filled),
                Received::Stalled => self.held.push_front(held),
            }
            self.follow_secured(core, id)?;
            if received == Received::Stalled {
                break;
            }
        }
        Ok(())
    }

    /// After bytes of a connection were offered to the shard: what its encryption answers, and its end.
    fn follow_secured(&mut self, core: &mut Core<'_>, id: ConnectionId) -> io::Result<()> {
        if self.tls.is_none() {
            return Ok(());
        }
        let Some(socket) = self.sockets.find(id) else { return Ok(()) };
        let Some(secured) = socket.secured() else { return Ok(()) };
        core.shard.holds(id, secured.held_bytes(), core.now());
        let news = secured.news();
        // The alert that says why goes out before the connection ends.
        socket.flush(&mut core.kernel)?;
        if news.broken {
            self.metrics.tls_failures.add(1);
        }
        if news.finished {
            core.shard.peer_finished(id, core.now());
        }
        Ok(())
    }

    /// Keeps bytes until it is the turn of the connection's handshake.
    fn await_step(&mut self, core: &mut Core<'_>, id: ConnectionId, filled: Filled) {
        let secured = self.sockets.secured(id).expect("the caller saw it");
        let answered = secured.answered();
        let queue = secured.keep(self.buffers.bytes(&filled));
        let held = secured.held_bytes();
        self.buffers.give(filled);
        if queue && let Some(given_up) = self.handshakes.wait(id, answered) {
            core.shard.shed_one(given_up);
        }
        core.shard.holds(id, held, core.now());
    }

    /// One step of one handshake: however many wait, those who are connected wait for no more than that.
    pub(super) fn step_handshake(&mut self, core: &mut Core<'_>) -> io::Result<()> {
        let now = core.now();
        while core.shard.may_receive()
            && let Some(id) = self.handshakes.take_next()
        {
            let Some(secured) = self.sockets.secured(id) else { continue };
            let Some(received) = secured.step(&mut core.shard, id, now) else { continue };
            let ends = secured.ends();
            self.follow_secured(core, id)?;
            if received == Received::Stalled {
                self.handshakes.again(id);
            } else if ends {
                core.shard.peer_finished(id, now);
            }
            return self.sockets.get(id).arm_again(&mut core.kernel);
        }
        Ok(())
    }

    /// The kernel has free buffers back, and connections that found none receive again.
    pub(super) fn refill(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        self.buffers.publish();
        if self.starved.is_empty() || !self.buffers.any_free() || !self.held.is_empty() {
            return Ok(());
        }
        for id in self.starved.drain(..) {
            if let Some(socket) = self.sockets.find(id) {
                socket.arm_again(kernel)?;
            }
        }
        Ok(())
    }

    pub(super) fn pause(&mut self, kernel: &mut Kernel<'_>, id: ConnectionId) -> io::Result<()> {
        self.sockets.get(id).pause(kernel)
    }

    pub(super) fn resume(&mut self, kernel: &mut Kernel<'_>, id: ConnectionId) -> io::Result<()> {
        self.sockets.get(id).resume(kernel)
    }

    pub(super) fn send(&mut self, core: &mut Core<'_>, id: ConnectionId, bytes: Vec<u8>) -> io::Result<()> {
        if let Some(unsent) = self.sockets.get(id).send(&mut core.kernel, bytes)? {
            core.complete(unsent);
        }
        Ok(())
    }

    pub(super) fn sent(
        &mut self,
        core: &mut Core<'_>,
        id: ConnectionId,
        completed: Completed,
    ) -> io::Result<()> {
        if let Some(sent) = self.sockets.get(id).sent(&mut core.kernel, completed)? {
            core.complete(sent);
        }
        self.rest(core, id)
    }

    pub(super) fn shut_send(&mut self, kernel: &mut Kernel<'_>, id: ConnectionId) -> io::Result<()> {
        self.sockets.get(id).shut_send(kernel)
    }

    pub(super) fn controlled(&mut self, core: &mut Core<'_>, id: ConnectionId) -> io::Result<()> {
        self.sockets.get(id).controlled();
        self.rest(core, id)
    }

    pub(super) fn close(&mut self, core: &mut Core<'_>, id: ConnectionId) -> io::Result<()> {
        if let Some(unsent) = self.sockets.get(id).close(&mut core.kernel)? {
            core.complete(unsent);
        }
        self.rest(core, id)
    }

    /// Frees a connection that is being closed, once nothing is under way on it.
    fn rest(&mut self, core: &mut Core<'_>, id: ConnectionId) -> io::Result<()> {
        if !self.sockets.get(id).at_rest() {
            return Ok(());
        }
        core.kernel.submitter.register_files_update(places::of_connection(id).0, &[-1])?;
        self.sockets.close(id);
        // The shard may have waited for just this.
        core.complete(Completion::Closed { connection: id });
        Ok(())
    }
}

/// Where a peer is. Who is gone already, or is no peer of IP, counts as one that has no address.
fn address_of(socket: &OwnedFd) -> IpAddr {
    let peer = getpeername(socket).ok().flatten().map(SocketAddr::try_from);
    peer.and_then(Result::ok).map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip().to_canonical())
}

impl Drop for Network {
    fn drop(&mut self) {
        // After a failure (or a panic) operations may still be under way, and the kernel may write to, or read from, their
        // memory until the ring is gone, which takes a while. So that memory is never freed; the process is about to end.
        if self.sockets.any_under_way() {
            std::mem::forget(std::mem::take(&mut self.sockets));
            self.buffers.leak();
        }
    }
}

/// How it goes on with a connection after a receive.
enum Next {
    /// With the next one, if it is wanted.
    Receive,
    /// With the next one once there is a buffer for it.
    Starve,
    /// With none: the peer has finished or is gone.
    End,
}

impl Next {
    fn after(received: io::Result<usize>) -> Self {
        match received {
            Ok(0) => Self::End,
            Ok(_) => Self::Receive,
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOBUFS) => Self::Starve,
                // Cancelled because it was not wanted for a while, or interrupted.
                Some(libc::ECANCELED | libc::EINTR | libc::EAGAIN) => Self::Receive,
                _ => Self::End,
            },
        }
    }
}
