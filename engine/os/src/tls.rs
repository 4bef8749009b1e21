//! Encryption of one connection, without its socket: ciphertext and plaintext in, plaintext and ciphertext out.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

mod records;

use records::Records;

/// Plaintext is taken out in portions of this: one TLS record.
const PORTION_BYTES: usize = 16 * 1024;

/// How connections are encrypted: the host's certificate, and whom it trusts.
#[derive(Clone, Debug)]
pub struct TlsConfig(Arc<ServerConfig>);

impl TlsConfig {
    /// Tries the configuration.
    ///
    /// # Errors
    /// If no server's connection can be made with it.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        ServerConnection::new(config.clone())?;
        Ok(Self(config))
    }

    /// A connection that waits for the client's first message.
    #[must_use]
    pub fn session(&self) -> TlsSession {
        let mut connection = ServerConnection::new(self.0.clone()).expect("it was tried");
        // What is written is taken out at once, by `output`: the caller bounds it.
        connection.set_buffer_limit(None);
        TlsSession {
            connection,
            plain: Vec::new(),
            taken: 0,
            peer: Peer::Sending,
            records: Records::default(),
            undone_bytes: 0,
        }
    }

    /// For libraries that make their own connections.
    #[must_use]
    pub fn rustls(&self) -> Arc<ServerConfig> {
        self.0.clone()
    }
}

/// What can still come from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Sending,
    /// What does not count: this side has closed the connection. Another alert must not follow.
    Unheard,
    /// Nothing: it closed its direction. It can still be sent to.
    Finished,
    /// Nothing: it broke the protocol, or is not trusted. Only the alert goes to it.
    Refused,
}

/// The server's half of an encrypted connection.
#[derive(Debug)]
pub struct TlsSession {
    connection: ServerConnection,
    /// Plaintext that was received; taken from the front.
    plain: Vec<u8>,
    taken: usize,
    peer: Peer,
    records: Records,
    /// Received bytes of which nothing came yet: neither plaintext, nor an answer, nor the end of the handshake.
    undone_bytes: usize,
}

impl TlsSession {
    /// Takes received bytes off the front of `cipher`, until there is plaintext or `cipher` is empty.
    ///
    /// # Errors
    /// If the peer breaks the protocol, or is not trusted; once. [`Self::output`] may have an alert for it then.
    /// The peer has ended then, and further bytes are ignored.
    pub fn receive(&mut self, cipher: &mut &[u8]) -> Result<(), rustls::Error> {
        while self.plain().is_empty() && !cipher.is_empty() {
            if self.peer != Peer::Sending {
                *cipher = &[];
                return Ok(());
            }
            if let Err(error) = self.process(cipher) {
                self.peer = Peer::Refused;
                *cipher = &[];
                return Err(error);
            }
            self.fill();
        }
        Ok(())
    }

    /// One step of the connection. Whatever fails here was caused by the peer.
    fn process(&mut self, cipher: &mut &[u8]) -> Result<(), rustls::Error> {
        // It fails when a message of the handshake is longer than the connection keeps of one. (It would also fail while
        // plaintext waits to be taken; `fill` leaves none.)
        let offered = *cipher;
        let (handshaking, answering) = (self.is_handshaking(), self.connection.wants_write());
        let read =
            self.connection.read_tls(cipher).map_err(|error| rustls::Error::General(error.to_string()))?;
        self.records.follow(&offered[..offered.len() - cipher.len()]);
        self.undone_bytes += offered.len() - cipher.len();
        let state = self.connection.process_new_packets()?;
        let agreed = handshaking && !self.is_handshaking();
        let answered = !answering && self.connection.wants_write();
        if agreed || answered || state.plaintext_bytes_to_read() > 0 {
            self.undone_bytes = self.records.unfinished();
        }
        // From a peer that has closed its direction it takes nothing more. Whoever else it takes nothing from is done
        // too: there would be no progress.
        if state.peer_has_closed() || read == 0 {
            self.peer = Peer::Finished;
        }
        Ok(())
    }

    /// Whether nothing more comes from the peer: it closed its direction, or receiving failed. [`Self::plain`] came
    /// before.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.peer, Peer::Finished | Peer::Refused)
    }

    /// Moves all plaintext that there is out of the connection.
    fn fill(&mut self) {
        self.plain.clear();
        self.taken = 0;
        loop {
            let begin = self.plain.len();
            self.plain.resize(begin + PORTION_BYTES, 0);
            let read = self.connection.reader().read(&mut self.plain[begin..]);
            self.plain.truncate(begin + read.as_ref().copied().unwrap_or(0));
            match read {
                // The peer closed it, or nothing is left for now; or it went without saying so, which the socket tells.
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Received plaintext that was not consumed.
    #[must_use]
    pub fn plain(&self) -> &[u8] {
        &self.plain[self.taken..]
    }

    /// The first `bytes` of [`Self::plain`] are done with.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn consume(&mut self, bytes: usize) {
        assert!(bytes <= self.plain().len(), "consumed more than there is");
        self.taken += bytes;
        if self.taken == self.plain.len() {
            self.taken = 0;
            self.plain = Vec::new();
        }
    }

    /// Whether the peer is in the middle of something: of the handshake, or of a record.
    #[must_use]
    pub fn awaits_more(&self) -> bool {
        self.is_handshaking() || self.records.unfinished() > 0
    }

    /// Bytes of memory that wait: for the rest of a record or of a message of the handshake, or to be consumed.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.plain().len() + self.undone_bytes
    }

    /// Encrypts a reply; [`Self::output`] has it then (or when the handshake is done).
    ///
    /// # Errors
    /// If receiving failed before: nothing but the alert is sent then.
    pub fn send(&mut self, plain: &[u8]) -> io::Result<()> {
        if self.peer == Peer::Refused {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.connection.writer().write_all(plain)
    }

    /// Says that nothing more will be sent. What is received from now on is ignored.
    pub fn close(&mut self) {
        if self.peer == Peer::Sending {
            self.peer = Peer::Unheard;
        }
        self.connection.send_close_notify();
    }

    /// Whether [`Self::output`] has something.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.connection.wants_write()
    }

    /// Bytes to be sent to the peer: empty if there are none.
    pub fn output(&mut self) -> Vec<u8> {
        let mut output = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut output).expect("a vector takes everything");
        }
        output
    }

    /// Whether the two sides have not agreed yet.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }
}

#[cfg(test)]
mod tests;
