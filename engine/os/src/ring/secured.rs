//! A connection's encryption: between what the ring receives and sends and what the shard does.

use std::io;

use logtank_engine::io::ConnectionId;
use logtank_engine::shard::{Received, Shard};
use logtank_engine::time::Now;

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

    /// Bytes kept that the shard has not seen.
    pub(super) fn held_bytes(&self) -> usize {
        self.unread.len() + self.session.held_bytes()
    }

    /// Whether the peer has heard from this side.
    pub(super) const fn answered(&self) -> bool {
        self.answered
    }

    /// Whether the peer sends nothing more after the step that was taken.
    pub(super) const fn ends(&self) -> bool {
        self.ends
    }

    /// Keeps bytes for the connection's turn; whether it has to queue for that.
    pub(super) fn keep(&mut self, cipher: &[u8]) -> bool {
        self.unread.extend_from_slice(cipher);
        !std::mem::replace(&mut self.queued, true)
    }

    /// Takes a step of the handshake, and what came after it; `None`: there is none to take, since its peer has gone.
    pub(super) fn step(&mut self, shard: &mut Shard, id: ConnectionId, now: Now) -> Option<Received> {
        if self.unread.is_empty() && self.session.plain().is_empty() {
            self.queued = false;
            return None;
        }
        let unread = std::mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        let received = self.receive(shard, id, &mut rest, now);
        self.unread = rest.to_vec();
        self.answered |= self.session.has_output();
        self.queued = received == Received::Stalled;
        Some(received)
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

    /// What the bytes received so far mean for the connection; each is reported once.
    pub(super) fn news(&mut self) -> News {
        // What it sent before is with the shard first.
        let finished = !self.finished && self.session.has_ended() && self.session.plain().is_empty();
        self.finished |= finished;
        News { broken: std::mem::take(&mut self.broken), finished }
    }

    /// Encrypts a reply; it is returned where nothing can be sent: the peer broke the protocol while it was awaited.
    ///
    /// # Panics
    /// If another one waits.
    pub(super) fn send(&mut self, reply: Vec<u8>) -> Result<(), (Vec<u8>, io::Error)> {
        assert!(self.waiting.is_none(), "one send at a time");
        if let Err(error) = self.session.send(&reply) {
            return Err((reply, error));
        }
        self.waiting = Some(reply);
        Ok(())
    }

    /// Reports to the peer that nothing more will be sent, when all is.
    pub(super) fn shut(&mut self) {
        self.session.close();
        self.shut = true;
    }

    /// The connection is about to be closed: the peer is told, so that it can tell the end from an attack. What still
    /// waits to be sent never is, and is returned.
    pub(super) fn part(&mut self) -> Option<Vec<u8>> {
        self.shut = false;
        let waiting = self.waiting.take();
        if waiting.is_none() {
            self.session.close();
        }
        waiting
    }

    /// What the peer is to be sent next.
    pub(super) fn outgoing(&mut self) -> Outgoing {
        let bytes = self.session.output();
        if !bytes.is_empty() {
            Outgoing::Bytes { bytes, plain: self.waiting.take() }
        } else if std::mem::take(&mut self.shut) {
            Outgoing::End
        } else {
            Outgoing::Nothing
        }
    }
}

/// What became of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// The peer broke the protocol, or is not trusted.
    pub(super) broken: bool,
    /// It sends nothing more.
    pub(super) finished: bool,
}

/// What a connection's encryption has to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    Nothing,
    Bytes {
        bytes: Vec<u8>,
        /// The shard's reply that is among them.
        plain: Option<Vec<u8>>,
    },
    /// Nothing any more.
    End,
}

#[cfg(test)]
mod tests;
