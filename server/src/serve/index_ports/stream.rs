//! A connection's bytes, encrypted or not.

use std::io;
use std::net::Shutdown;

use logtank_os::tls::{TlsConfig, TlsSession};
use tokio_uring::net::TcpStream;

/// Ciphertext received at once.
const RECEIVE_BYTES: usize = 4096;

/// Encrypted and sent at once: bounds what a page needs twice.
const SEND_BYTES: usize = 64 * 1024;

/// A peer's connection.
pub(super) struct Stream {
    socket: TcpStream,
    secured: Option<Box<Secured>>,
}

struct Secured {
    session: TlsSession,
    /// Received and not decrypted yet, from `at` on.
    cipher: Vec<u8>,
    at: usize,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, tls: Option<&TlsConfig>) -> Self {
        let secured = tls.map(|tls| {
            Box::new(Secured { session: tls.session(), cipher: Vec::with_capacity(RECEIVE_BYTES), at: 0 })
        });
        Self { socket, secured }
    }

    /// Agrees with the peer on the encryption, where there is one.
    ///
    /// # Errors
    /// The connection's, or that the peer is not trusted or speaks no TLS.
    pub(super) async fn agree(&mut self) -> io::Result<()> {
        let Self { socket, secured: Some(secured) } = self else { return Ok(()) };
        while secured.session.is_handshaking() {
            if secured.session.has_ended() || secured.more(socket).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Receives into `buffer`, at most its capacity; returns it, and how many bytes came, 0 at the end.
    pub(super) async fn read(&mut self, mut buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        let Self { socket, secured: Some(secured) } = self else { return self.socket.read(buffer).await };
        while secured.session.plain().is_empty() {
            if secured.session.has_ended() {
                return (Ok(0), buffer);
            }
            match secured.more(socket).await {
                Ok(0) => return (Ok(0), buffer),
                Ok(_) => {}
                Err(error) => return (Err(error), buffer),
            }
        }
        let plain = secured.session.plain();
        let plain = &plain[..plain.len().min(buffer.capacity())];
        buffer.clear();
        buffer.extend_from_slice(plain);
        secured.session.consume(buffer.len());
        (Ok(buffer.len()), buffer)
    }

    /// The socket itself, where what is sent on it is what was meant.
    pub(super) const fn plain(&self) -> Option<&TcpStream> {
        match self.secured {
            None => Some(&self.socket),
            Some(_) => None,
        }
    }

    /// Sends all of `bytes`, encrypted.
    ///
    /// # Errors
    /// If the peer is gone.
    ///
    /// # Panics
    /// If the connection is not encrypted.
    pub(super) async fn write_secured(&mut self, bytes: &[u8]) -> io::Result<()> {
        let secured = self.secured.as_mut().expect("the caller saw that it is encrypted");
        for portion in bytes.chunks(SEND_BYTES) {
            secured.session.send(portion)?;
            secured.flush(&self.socket).await?;
        }
        Ok(())
    }

    /// Tells the peer that this is the end, where there is an encryption to say it in.
    pub(super) async fn part(&mut self) {
        if let Some(secured) = &mut self.secured {
            secured.session.close();
            // A peer that is gone need not be told.
            let _ = secured.flush(&self.socket).await;
        }
    }

    /// Ends the connection, also a receive that was given up and still holds the socket.
    pub(super) fn shut_down(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Secured {
    /// Decrypts more of what was received, or receives more; 0 at the end.
    async fn more(&mut self, socket: &TcpStream) -> io::Result<usize> {
        if self.at == self.cipher.len() {
            let (result, buffer) = socket.read(std::mem::take(&mut self.cipher)).await;
            (self.cipher, self.at) = (buffer, 0);
            if result? == 0 {
                return Ok(0);
            }
        }
        let mut rest = &self.cipher[self.at..];
        let offered = rest.len();
        let received = self.session.receive(&mut rest);
        let taken = offered - rest.len();
        self.at += taken;
        if self.at == self.cipher.len() {
            self.cipher.clear();
            self.at = 0;
        }
        self.flush(socket).await?;
        received.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(taken)
    }

    async fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        let output = self.session.output();
        if output.is_empty() { Ok(()) } else { socket.write_all(output).await.0 }
    }
}
