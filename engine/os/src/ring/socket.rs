//! One connection's operations of the ring: receiving, sending, closing.

use std::io;

use io_uring::{opcode, squeue};
use logtank_engine::io::{Completion, ConnectionId};

use super::kernel::{Completed, Kernel};
use super::places;
use super::receive_buffers::GROUP;
use super::secured::{Outgoing, Secured};
use super::user_data::Purpose;

/// A send under way.
#[derive(Debug)]
struct Sending {
    bytes: Vec<u8>,
    /// How many the kernel has taken already.
    sent: usize,
    /// What the shard asked to send and is owed back; on an encrypted connection not what is sent, and there are sends
    /// that it did not ask for.
    plain: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Socket {
    id: ConnectionId,
    /// A receive is under way.
    armed: bool,
    /// One should be.
    wanted: bool,
    sending: Option<Sending>,
    /// Cancellations and shutdowns under way: they name the file by its slot, so it must stay.
    controls: u32,
    closing: bool,
    /// The connection is encrypted.
    secured: Option<Box<Secured>>,
}

impl Socket {
    /// Receives nothing yet ([`Self::resume`] begins).
    pub(super) const fn new(id: ConnectionId, secured: Option<Box<Secured>>) -> Self {
        Self { id, armed: false, wanted: false, sending: None, controls: 0, closing: false, secured }
    }

    pub(super) const fn id(&self) -> ConnectionId {
        self.id
    }

    /// The connection's encryption.
    pub(super) fn secured(&mut self) -> Option<&mut Secured> {
        self.secured.as_deref_mut()
    }

    /// Whether what is received has to wait for the turn of the connection's handshake.
    pub(super) fn awaits_step(&self) -> bool {
        self.secured.as_ref().is_some_and(|secured| secured.awaits_step())
    }

    /// Whether it can be freed.
    pub(super) const fn at_rest(&self) -> bool {
        self.closing && !self.under_way()
    }

    /// Whether the kernel may still use memory, or the socket, on behalf of the connection.
    pub(super) const fn under_way(&self) -> bool {
        self.armed || self.sending.is_some() || self.controls > 0
    }

    /// Receives until told otherwise, or once while the connection's handshake waits for its turn.
    fn arm(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        self.armed = true;
        let place = places::of_connection(self.id);
        // Who can send on without being looked at would fill the buffers of all.
        let receive = if self.awaits_step() {
            let receive = opcode::Recv::new(place, std::ptr::null_mut(), 0).buf_group(GROUP).build();
            receive.flags(squeue::Flags::BUFFER_SELECT)
        } else {
            opcode::RecvMulti::new(place, GROUP).build()
        };
        let receive = receive.user_data(Purpose::Receive(self.id).pack());
        // SAFETY: it points to no memory of its own; the registered buffers live as long as the ring uses them.
        unsafe { kernel.push(&receive) }
    }

    /// Begins the next receive if there has to be one.
    pub(super) fn arm_again(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        let room = self.secured.as_ref().is_none_or(|secured| secured.has_room());
        if self.wanted && !self.armed && !self.closing && room { self.arm(kernel) } else { Ok(()) }
    }

    /// The receive under way has brought something, and maybe ended.
    pub(super) fn received(&mut self, completed: Completed) {
        self.armed = completed.more();
    }

    /// The peer sends nothing more, or can't be heard any more.
    pub(super) const fn ended(&mut self) {
        self.wanted = false;
    }

    pub(super) fn pause(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        self.wanted = false;
        if self.armed { self.cancel_receive(kernel) } else { Ok(()) }
    }

    pub(super) fn resume(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        self.wanted = true;
        // If it still is, its cancellation is under way; it begins again when that has come through.
        if self.armed { Ok(()) } else { self.arm(kernel) }
    }

    fn cancel_receive(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        self.controls += 1;
        let cancel = opcode::AsyncCancel::new(Purpose::Receive(self.id).pack())
            .build()
            .user_data(Purpose::Control(self.id).pack());
        // SAFETY: it points to no memory.
        unsafe { kernel.push(&cancel) }
    }

    /// Sends the shard's reply; what can't be sent any more is returned at once.
    ///
    /// # Panics
    /// If another one is under way.
    pub(super) fn send(&mut self, kernel: &mut Kernel<'_>, bytes: Vec<u8>) -> io::Result<Option<Completion>> {
        if let Some(secured) = &mut self.secured {
            return match secured.send(bytes) {
                Ok(()) => self.flush(kernel).map(|()| None),
                Err((bytes, error)) => Ok(Some(self.not_sent(bytes, error))),
            };
        }
        assert!(self.sending.is_none(), "one send at a time");
        self.sending = Some(Sending { bytes, sent: 0, plain: None });
        self.send_rest(kernel)?;
        Ok(None)
    }

    /// Sends what the encryption has to send: replies, and what the two sides agree by.
    pub(super) fn flush(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        let Some(secured) = &mut self.secured else { return Ok(()) };
        if self.sending.is_some() || self.closing {
            return Ok(());
        }
        match secured.outgoing() {
            Outgoing::Nothing => Ok(()),
            Outgoing::End => self.shutdown(kernel, libc::SHUT_WR),
            Outgoing::Bytes { bytes, plain } => {
                self.sending = Some(Sending { bytes, sent: 0, plain });
                self.send_rest(kernel)
            }
        }
    }

    fn send_rest(&self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        let sending = self.sending.as_ref().expect("the caller saw to it");
        let bytes = &sending.bytes[sending.sent..];
        let len = u32::try_from(bytes.len()).expect("replies are shorter than 4 GiB");
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let send = opcode::Send::new(places::of_connection(self.id), bytes.as_ptr(), len)
            .flags(flags)
            .build()
            .user_data(Purpose::Send(self.id).pack());
        // SAFETY: the bytes stay in the connection's row, which is kept and not changed until the completion.
        unsafe { kernel.push(&send) }
    }

    /// A send of the ring has ended; what the shard asked for is returned if that was the last of it.
    pub(super) fn sent(
        &mut self,
        kernel: &mut Kernel<'_>,
        completed: Completed,
    ) -> io::Result<Option<Completion>> {
        let mut sending = self.sending.take().expect("a send was under way");
        let result = match completed.count() {
            Ok(count) => {
                sending.sent += count;
                if sending.sent < sending.bytes.len() && !self.closing {
                    self.sending = Some(sending);
                    self.send_rest(kernel)?;
                    return Ok(None);
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        let reply = if self.secured.is_some() { sending.plain } else { Some(sending.bytes) };
        self.flush(kernel)?;
        Ok(reply.map(|bytes| Completion::Sent { connection: self.id, bytes, result }))
    }

    /// The shard's reply never goes out; its buffer goes back.
    const fn not_sent(&self, bytes: Vec<u8>, error: io::Error) -> Completion {
        Completion::Sent { connection: self.id, bytes, result: Err(error) }
    }

    /// Nothing more will be sent after what was; the peer is told.
    pub(super) fn shut_send(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        if let Some(secured) = &mut self.secured {
            secured.shut();
            return self.flush(kernel);
        }
        self.shutdown(kernel, libc::SHUT_WR)
    }

    fn shutdown(&mut self, kernel: &mut Kernel<'_>, how: i32) -> io::Result<()> {
        self.controls += 1;
        let place = places::of_connection(self.id);
        let shutdown = opcode::Shutdown::new(place, how).build().user_data(Purpose::Control(self.id).pack());
        // SAFETY: it points to no memory.
        unsafe { kernel.push(&shutdown) }
    }

    /// A cancellation or shutdown is through. What it found there does not matter.
    pub(super) const fn controlled(&mut self) {
        self.controls -= 1;
    }

    /// Ends what is under way; a reply that had to wait and never goes out is returned.
    pub(super) fn close(&mut self, kernel: &mut Kernel<'_>) -> io::Result<Option<Completion>> {
        let unsent = self.secured.as_mut().and_then(|secured| secured.part());
        let unsent = unsent.map(|bytes| self.not_sent(bytes, io::ErrorKind::ConnectionAborted.into()));
        if unsent.is_none() {
            self.flush(kernel)?;
        }
        self.closing = true;
        self.wanted = false;
        let (armed, sending) = (self.armed, self.sending.is_some());
        if armed {
            self.cancel_receive(kernel)?;
        }
        if armed || sending {
            self.shutdown(kernel, libc::SHUT_RDWR)?;
        }
        Ok(unsent)
    }
}
