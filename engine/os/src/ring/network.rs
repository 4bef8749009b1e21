//! Connections: receiving, sending, closing.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::types::Fixed;
use io_uring::{opcode, squeue};
use logtank_engine::io::op::{Completion, ConnectionId};
use logtank_engine::shard::Received;

use super::driver::{CONNECTIONS_INDEX, Driver, Held};
use super::kernel::Completed;
use super::receive_buffers::{Filled, GROUP};
use super::secured::Secured;
use super::sockets::Sending;
use super::user_data::Purpose;

const fn index(id: ConnectionId) -> Fixed {
    Fixed(CONNECTIONS_INDEX + id.slot)
}

impl Driver<'_> {
    /// A client's connected socket.
    pub(super) fn accept(&mut self, socket: OwnedFd) -> io::Result<()> {
        // Replies are small and one send each; waiting for more to send would only delay them. Sockets that are no TCP
        // don't know the option, and need it not.
        let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        // Without a place the socket is dropped, which closes it.
        let Some(id) = self.shard.accept(self.now) else { return Ok(()) };
        if self.kernel.submitter.register_files_update(index(id).0, &[socket.as_raw_fd()]).is_err() {
            // The kernel has no memory for it. That ends this connection and nothing else.
            self.shard.complete(Completion::Closed { connection: id }, self.now);
            return Ok(());
        }
        self.sockets.open(id);
        let row = self.sockets.get(id);
        row.wanted = true;
        if let Some(config) = &self.config.tls {
            row.tls = Some(Secured::new(config));
            self.shard.begun(id, self.now);
        }
        self.arm(id)
    }

    /// Receives until told otherwise, or once while the connection's handshake waits for its turn.
    pub(super) fn arm(&mut self, id: ConnectionId) -> io::Result<()> {
        self.sockets.get(id).armed = true;
        let stepwise = self.sockets.secured(id).is_some_and(|secured| secured.awaits_step());
        // Who can send on without being looked at would fill the buffers of all.
        let receive = if stepwise {
            let receive = opcode::Recv::new(index(id), std::ptr::null_mut(), 0).buf_group(GROUP).build();
            receive.flags(squeue::Flags::BUFFER_SELECT)
        } else {
            opcode::RecvMulti::new(index(id), GROUP).build()
        };
        let receive = receive.user_data(Purpose::Receive(id).pack());
        // SAFETY: it points to no memory of its own; the registered buffers live as long as the ring uses them.
        unsafe { self.kernel.push(&receive) }
    }

    pub(super) fn received(&mut self, id: ConnectionId, completed: Completed) -> io::Result<()> {
        let result = completed.count();
        let filled =
            completed.buffer().map(|buffer| self.buffers.filled(buffer, *result.as_ref().unwrap_or(&0)));
        let row = self.sockets.get(id);
        row.armed = completed.more();
        match (filled, &result) {
            (Some(filled), Ok(1..)) if self.sockets.secured(id).is_some_and(|tls| tls.awaits_step()) => {
                self.await_step(id, filled);
            }
            (Some(filled), Ok(1..)) => self.offer(Held { connection: id, filled, taken: 0 })?,
            (filled, _) => {
                if let Some(filled) = filled {
                    self.buffers.give(filled);
                }
            }
        }
        let row = self.sockets.get(id);
        let ended = match result {
            Ok(count) => count == 0,
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOBUFS) => {
                    self.starved.push(id);
                    return self.rest(id);
                }
                // Cancelled because it was not wanted for a while, or interrupted: begun again below if it is wanted.
                Some(libc::ECANCELED | libc::EINTR | libc::EAGAIN) => false,
                _ => true,
            },
        };
        if ended {
            row.wanted = false;
            self.finished(id);
        } else if row.needs_arming() {
            self.arm(id)?;
        }
        self.rest(id)
    }

    /// The peer sends no more; what was received before is offered first.
    fn finished(&mut self, id: ConnectionId) {
        if self.sockets.secured(id).is_some_and(Secured::peer_finished) {
            return;
        }
        if self.held.iter().any(|held| held.connection == id) {
            // A whole message may still be in what the shard has no room for; the order must hold.
            self.held.push_back(Held { connection: id, filled: Filled::END, taken: 0 });
        } else {
            self.shard.peer_finished(id, self.now);
        }
    }

    /// Offers bytes to the shard, behind those that it had no room for.
    fn offer(&mut self, held: Held) -> io::Result<()> {
        self.held.push_back(held);
        self.offer_held()
    }

    /// Offers what is held, as far as there is room.
    pub(super) fn offer_held(&mut self) -> io::Result<()> {
        while let Some(mut held) = self.held.pop_front() {
            if held.filled.is_end() {
                self.shard.peer_finished(held.connection, self.now);
                continue;
            }
            let mut bytes = &self.buffers.bytes(&held.filled)[held.taken..];
            let received = match self.sockets.secured(held.connection) {
                None => self.shard.receive(held.connection, &mut bytes, self.now),
                Some(secured) => secured.receive(&mut self.shard, held.connection, &mut bytes, self.now),
            };
            held.taken = held.filled.len() - bytes.len();
            let id = held.connection;
            match received {
                Received::All => self.buffers.give(held.filled),
                Received::Stalled => self.held.push_front(held),
            }
            if self.config.tls.is_some() {
                self.follow_secured(id)?;
            }
            if received == Received::Stalled {
                break;
            }
        }
        Ok(())
    }

    /// Connections that found no free buffer receive again when there are some.
    pub(super) fn feed_starved(&mut self) -> io::Result<()> {
        if self.starved.is_empty() || !self.buffers.any_free() || !self.held.is_empty() {
            return Ok(());
        }
        let mut starved = std::mem::take(&mut self.starved);
        for id in starved.drain(..) {
            if self.sockets.is_open(id) {
                let row = self.sockets.get(id);
                if row.needs_arming() {
                    self.arm(id)?;
                }
            }
        }
        self.starved = starved;
        Ok(())
    }

    pub(super) fn send(&mut self, id: ConnectionId, bytes: Vec<u8>) -> io::Result<()> {
        let row = self.sockets.get(id);
        if row.tls.is_some() {
            return self.send_secured(id, bytes);
        }
        assert!(row.sending.is_none(), "one send at a time");
        row.sending = Some(Sending { bytes, sent: 0, plain: None });
        self.send_rest(id)
    }

    pub(super) fn send_rest(&mut self, id: ConnectionId) -> io::Result<()> {
        let sending = self.sockets.get(id).sending.as_ref().expect("the caller saw to it");
        let bytes = &sending.bytes[sending.sent..];
        let len = u32::try_from(bytes.len()).expect("replies are shorter than 4 GiB");
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let send = opcode::Send::new(index(id), bytes.as_ptr(), len)
            .flags(flags)
            .build()
            .user_data(Purpose::Send(id).pack());
        // SAFETY: the bytes stay in the connection's row, which is kept and not changed until the completion.
        unsafe { self.kernel.push(&send) }
    }

    pub(super) fn sent(&mut self, id: ConnectionId, completed: Completed) -> io::Result<()> {
        let row = self.sockets.get(id);
        let mut sending = row.sending.take().expect("a send was under way");
        let result = match completed.count() {
            Ok(count) => {
                sending.sent += count;
                if sending.sent < sending.bytes.len() && !row.closing {
                    row.sending = Some(sending);
                    return self.send_rest(id);
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        let reply = if row.tls.is_some() { sending.plain } else { Some(sending.bytes) };
        if let Some(bytes) = reply {
            self.shard.complete(Completion::Sent { connection: id, bytes, result }, self.now);
        }
        self.flush_secured(id)?;
        self.rest(id)
    }

    pub(super) fn pause(&mut self, id: ConnectionId) -> io::Result<()> {
        let row = self.sockets.get(id);
        row.wanted = false;
        if row.armed { self.cancel_receive(id) } else { Ok(()) }
    }

    pub(super) fn resume(&mut self, id: ConnectionId) -> io::Result<()> {
        let row = self.sockets.get(id);
        row.wanted = true;
        // If it still is, its cancellation is under way; it begins again when that has come through.
        if row.armed { Ok(()) } else { self.arm(id) }
    }

    fn cancel_receive(&mut self, id: ConnectionId) -> io::Result<()> {
        self.sockets.get(id).controls += 1;
        let cancel = opcode::AsyncCancel::new(Purpose::Receive(id).pack())
            .build()
            .user_data(Purpose::Control(id).pack());
        // SAFETY: it points to no memory.
        unsafe { self.kernel.push(&cancel) }
    }

    pub(super) fn shutdown(&mut self, id: ConnectionId, how: i32) -> io::Result<()> {
        self.sockets.get(id).controls += 1;
        let shutdown = opcode::Shutdown::new(index(id), how).build().user_data(Purpose::Control(id).pack());
        // SAFETY: it points to no memory.
        unsafe { self.kernel.push(&shutdown) }
    }

    /// A cancellation or shutdown is through. What it found there does not matter.
    pub(super) fn controlled(&mut self, id: ConnectionId) -> io::Result<()> {
        self.sockets.get(id).controls -= 1;
        self.rest(id)
    }

    pub(super) fn close(&mut self, id: ConnectionId) -> io::Result<()> {
        self.part_secured(id)?;
        let row = self.sockets.get(id);
        row.closing = true;
        row.wanted = false;
        let (armed, sending) = (row.armed, row.sending.is_some());
        if armed {
            self.cancel_receive(id)?;
        }
        if armed || sending {
            self.shutdown(id, libc::SHUT_RDWR)?;
        }
        self.rest(id)
    }

    /// Frees a connection that is being closed, once nothing is under way on it.
    fn rest(&mut self, id: ConnectionId) -> io::Result<()> {
        if !self.sockets.get(id).at_rest() {
            return Ok(());
        }
        self.kernel.submitter.register_files_update(index(id).0, &[-1])?;
        self.sockets.close(id);
        self.shard.complete(Completion::Closed { connection: id }, self.now);
        // The shard may have waited for just this.
        self.completed_inline = true;
        Ok(())
    }
}
