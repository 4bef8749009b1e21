//! A peer of an encrypted connection, and the host's half of its encryption.

use std::io::{Read, Write};

use logtank_os::tls::TlsSession;
use rustls::ClientConnection;

use crate::tls::SIDES;

/// A real client, and the session that it speaks with.
pub(crate) struct SecuredPeer {
    client: ClientConnection,
    session: TlsSession,
    /// The client has closed, failed, or was answered with an alert: it must be given nothing more.
    deaf: bool,
}

impl std::fmt::Debug for SecuredPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecuredPeer").field("deaf", &self.deaf).finish_non_exhaustive()
    }
}

impl SecuredPeer {
    pub(crate) fn new(newer: bool) -> Box<Self> {
        Box::new(Self { client: SIDES.client(newer), session: SIDES.server.session(), deaf: false })
    }

    /// What the client sends now, with these bytes of the script at its end.
    pub(crate) fn encrypt(&mut self, plain: &[u8]) -> Vec<u8> {
        // What it can't send before the two sides agree it keeps.
        let _ = self.client.writer().write_all(plain);
        let mut cipher = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut cipher).expect("a vector takes everything");
        }
        cipher
    }

    /// Takes what was received off the front of `cipher`, until there is plaintext or it is empty.
    pub(crate) fn receive(&mut self, cipher: &mut &[u8]) {
        // That it failed is seen by its end.
        let _ = self.session.receive(cipher);
    }

    pub(crate) fn plain(&self) -> &[u8] {
        self.session.plain()
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.session.consume(bytes);
    }

    pub(crate) const fn has_ended(&self) -> bool {
        self.session.has_ended()
    }

    pub(crate) fn awaits_more(&self) -> bool {
        self.session.awaits_more()
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.session.held_bytes()
    }

    /// Whether the reply could be encrypted.
    pub(crate) fn send(&mut self, reply: &[u8]) -> bool {
        self.session.send(reply).is_ok()
    }

    /// The session's bytes go to the client: what they mean to it, and what it sends for them.
    pub(crate) fn deliver(&mut self) -> (Vec<u8>, Vec<u8>) {
        let output = self.session.output();
        let (mut bytes, mut plain) = (output.as_slice(), Vec::new());
        while !self.deaf && !bytes.is_empty() {
            let taken = matches!(self.client.read_tls(&mut bytes), Ok(1..));
            self.deaf = !taken || self.client.process_new_packets().is_err();
            let _ = self.client.reader().read_to_end(&mut plain);
        }
        (plain, if self.deaf { Vec::new() } else { self.encrypt(&[]) })
    }
}
