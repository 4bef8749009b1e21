//! Encrypted connections: between what the ring receives and sends and what the shard does.

use std::io;

use logtank_engine::io::op::{Completion, ConnectionId};
use logtank_engine::shard::{Received, Shard};
use logtank_engine::time::Now;

use super::driver::Driver;
use super::receive_buffers::Filled;
use super::sockets::Sending;
use crate::tls::{TlsConfig, TlsSession};

/// One connection's encryption, and what waits for it.
#[derive(Debug)]
pub(super) struct Secured {
    session: TlsSession,
    /// The shard's reply, encrypted, that waits for a send under way to end.
    waiting: Option<Vec<u8>>,
    /// Nothing more will be sent once all is.
    shut: bool,
    /// The peer broke the protocol, or is not trusted; not counted yet.
    broken: bool,
    /// The shard knows that the peer sends nothing more.
    finished: bool,
    /// Received before the two sides have agreed, and not looked at yet.
    unread: Vec<u8>,
    /// It is in the queue for a step of its handshake.
    queued: bool,
    /// It was sent something, so a peer that sends more has heard it.
    answered: bool,
    /// Nothing comes after what waits.
    ends: bool,
}

/// Of an `unread` as long as this the peer has to wait. Few handshakes are longer.
const UNREAD_BYTES_MAX: usize = 16 * 1024;

impl Secured {
    pub(super) fn new(config: &TlsConfig) -> Box<Self> {
        let session = config.session();
        Box::new(Self {
            session,
            waiting: None,
            shut: false,
            broken: false,
            finished: false,
            unread: Vec::new(),
            queued: false,
            answered: false,
            ends: false,
        })
    }

    /// Whether what is received has to wait for the connection's turn.
    pub(super) fn awaits_step(&self) -> bool {
        !self.session.has_ended() && (self.session.is_handshaking() || self.queued)
    }

    /// Whether more can be received.
    pub(super) const fn has_room(&self) -> bool {
        self.unread.len() < UNREAD_BYTES_MAX
    }

    /// The peer sends nothing more; whether that has to wait for its turn, after what it sent before.
    pub(super) fn peer_finished(&mut self) -> bool {
        if !self.answered {
            // Its first message alone agrees upon nothing.
            self.unread = Vec::new();
        }
        self.ends = self.queued && !(self.unread.is_empty() && self.session.plain().is_empty());
        self.ends
    }

    fn held_bytes(&self) -> usize {
        self.unread.len() + self.session.held_bytes()
    }

    /// Takes a step of the handshake, and what came behind it.
    fn step(&mut self, shard: &mut Shard, id: ConnectionId, now: Now) -> Received {
        let unread = std::mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        let received = self.receive(shard, id, &mut rest, now);
        self.unread = rest.to_vec();
        self.answered |= self.session.has_output();
        self.queued = received == Received::Stalled;
        received
    }

    /// Decrypts `cipher`, and gives the shard what it has room for. Takes bytes off its front.
    pub(super) fn receive(
        &mut self,
        shard: &mut Shard,
        id: ConnectionId,
        cipher: &mut &[u8],
        now: Now,
    ) -> Received {
        loop {
            let mut plain = self.session.plain();
            if !plain.is_empty() {
                let offered = plain.len();
                let received = shard.receive(id, &mut plain, now);
                let taken = offered - plain.len();
                self.session.consume(taken);
                if received == Received::Stalled {
                    return Received::Stalled;
                }
                continue;
            }
            if cipher.is_empty() {
                return Received::All;
            }
            let handshaking = self.session.is_handshaking();
            if self.session.receive(cipher).is_err() {
                self.broken = true;
            } else if self.session.plain().is_empty() {
                if handshaking && !self.session.is_handshaking() {
                    // Agreed; the time of the first message has not begun.
                    shard.receive(id, &mut &[][..], now);
                } else if self.session.awaits_more() {
                    shard.begun(id, now);
                }
            }
        }
    }
}

impl Driver<'_> {
    /// Keeps bytes until it is the turn of the connection's handshake.
    pub(super) fn await_step(&mut self, id: ConnectionId, filled: Filled) {
        let secured = self.sockets.secured(id).expect("the caller saw it");
        secured.unread.extend_from_slice(self.buffers.bytes(&filled));
        self.buffers.give(filled);
        let (answered, held) = (secured.answered, secured.held_bytes());
        if !std::mem::replace(&mut secured.queued, true)
            && let Some(given_up) = self.handshakes.wait(id, answered)
        {
            self.shard.shed_one(given_up);
        }
        self.shard.holds(id, held, self.now);
    }

    /// One step of one handshake: however many wait, those who are connected wait for no more than that.
    pub(super) fn step_handshake(&mut self) -> io::Result<()> {
        while self.shard.may_receive()
            && let Some(id) = self.handshakes.take_next()
        {
            let Some(secured) = self.sockets.secured(id) else { continue };
            if secured.unread.is_empty() && secured.session.plain().is_empty() {
                // Its peer has gone.
                secured.queued = false;
                continue;
            }
            let received = secured.step(&mut self.shard, id, self.now);
            let ends = secured.ends;
            self.follow_secured(id)?;
            if received == Received::Stalled {
                self.handshakes.again(id);
            } else if ends {
                self.shard.peer_finished(id, self.now);
            }
            if self.sockets.get(id).needs_arming() {
                self.arm(id)?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// Sends the shard's reply on a connection that is encrypted.
    pub(super) fn send_secured(&mut self, id: ConnectionId, bytes: Vec<u8>) -> io::Result<()> {
        let secured = self.sockets.get(id).tls.as_mut().expect("the caller saw it");
        assert!(secured.waiting.is_none(), "one send at a time");
        if let Err(error) = secured.session.send(&bytes) {
            // The peer broke the protocol while its answer was awaited.
            self.not_sent(id, bytes, error);
            return Ok(());
        }
        secured.waiting = Some(bytes);
        self.flush_secured(id)
    }

    /// Tells the peer that nothing more will be sent, when all is.
    pub(super) fn shut_secured(&mut self, id: ConnectionId) -> io::Result<()> {
        let secured = self.sockets.get(id).tls.as_mut().expect("the caller saw it");
        secured.session.close();
        secured.shut = true;
        self.flush_secured(id)
    }

    /// Sends what the encryption has to send: replies, and what the two sides agree by.
    pub(super) fn flush_secured(&mut self, id: ConnectionId) -> io::Result<()> {
        let row = self.sockets.get(id);
        let Some(secured) = &mut row.tls else { return Ok(()) };
        if row.sending.is_some() || row.closing {
            return Ok(());
        }
        let output = secured.session.output();
        if output.is_empty() {
            return if std::mem::take(&mut secured.shut) { self.shutdown(id, libc::SHUT_WR) } else { Ok(()) };
        }
        row.sending = Some(Sending { bytes: output, sent: 0, plain: secured.waiting.take() });
        self.send_rest(id)
    }

    /// After bytes of an encrypted connection were offered to the shard: answers of the encryption itself, and its end.
    pub(super) fn follow_secured(&mut self, id: ConnectionId) -> io::Result<()> {
        let Some(secured) = self.sockets.secured(id) else { return Ok(()) };
        let held = secured.held_bytes();
        self.shard.holds(id, held, self.now);
        let broken = std::mem::take(&mut secured.broken);
        // What it sent before is with the shard first.
        let finished = !secured.finished && secured.session.has_ended() && secured.session.plain().is_empty();
        secured.finished |= finished;
        // The alert that says why goes out before the connection ends.
        self.flush_secured(id)?;
        if broken {
            self.links.metrics.tls_failures.add(1);
        }
        if finished {
            self.shard.peer_finished(id, self.now);
        }
        Ok(())
    }

    /// An encrypted connection is about to be closed: the peer is told, so that it can tell the end from an attack.
    /// What still waits to be sent never is.
    pub(super) fn part_secured(&mut self, id: ConnectionId) -> io::Result<()> {
        let Some(secured) = self.sockets.secured(id) else { return Ok(()) };
        secured.shut = false;
        if let Some(bytes) = secured.waiting.take() {
            self.not_sent(id, bytes, io::ErrorKind::ConnectionAborted.into());
            return Ok(());
        }
        secured.session.close();
        self.flush_secured(id)
    }

    /// The shard's reply never goes out; its buffer goes back.
    fn not_sent(&mut self, id: ConnectionId, bytes: Vec<u8>, error: io::Error) {
        self.shard.complete(Completion::Sent { connection: id, bytes, result: Err(error) }, self.now);
        self.completed_inline = true;
    }
}

#[cfg(test)]
mod tests;
