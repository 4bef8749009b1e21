//! A connection's bytes, encrypted or not.

use std::io;
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use logtank_os::far_end::{self, FarEnd};
use logtank_os::tls::{TlsConfig, TlsSession};
use tokio_uring::net::TcpStream;

use super::held::{Share, Shed};
use super::turns::Turns;

/// Ciphertext received at once.
const RECEIVE_BYTES: usize = 4096;

/// Encrypted and sent at once: bounds what a page needs twice.
const SEND_BYTES: usize = 64 * 1024;

/// Between two looks whether a peer that waits is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A peer's connection.
pub(super) struct Stream {
    socket: TcpStream,
    secured: Option<Box<Secured>>,
    peer: IpAddr,
    memory: Share,
    /// Bytes of a call partly received.
    call_bytes: usize,
}

/// A connection to a peer, as the kernel sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line(RawFd);

impl Line {
    /// Bytes that the peer's machine has received. Only differences mean anything.
    pub(super) fn acknowledged_bytes(self) -> u64 {
        // The kernel knows it of every connection of TCP; who is known to have received nothing is given up.
        far_end::acknowledged_bytes(&self.0).unwrap_or(0)
    }

    /// Completes when nobody is there any more; or when the peer has sent its last for so long, since it has most likely
    /// gone, too.
    pub(super) async fn goes(self, patience: Duration) {
        let mut finished: Option<Instant> = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match far_end::far_end(&self.0) {
                Ok(FarEnd::Gone) => return,
                Ok(FarEnd::Finished) => {
                    if finished.get_or_insert_with(Instant::now).elapsed() >= patience {
                        return;
                    }
                }
                Ok(FarEnd::Open) | Err(_) => {}
            }
        }
    }
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Bytes,
    /// A part of an encrypted record, or what concerns the encryption only.
    Part,
    /// Nothing, and nothing more comes.
    End,
}

struct Secured {
    session: TlsSession,
    /// Received and not decrypted yet, from `at` on.
    cipher: Vec<u8>,
    at: usize,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, peer: IpAddr, tls: Option<&TlsConfig>, memory: Share) -> Self {
        let secured = tls.map(|tls| {
            Box::new(Secured { session: tls.session(), cipher: Vec::with_capacity(RECEIVE_BYTES), at: 0 })
        });
        Self { socket, secured, peer, memory, call_bytes: 0 }
    }

    /// Whose connection it is.
    pub(super) const fn peer(&self) -> IpAddr {
        self.peer
    }

    /// What says that the connection has to go, because it holds too much.
    pub(super) fn shed(&self) -> Rc<Shed> {
        self.memory.shed()
    }

    /// So many bytes of a call have been received, and more are to come.
    pub(super) fn keeps(&mut self, call_bytes: usize) {
        self.call_bytes = call_bytes;
        self.count();
    }

    fn count(&self) {
        let secured = self.secured.as_ref().map_or(0, |secured| secured.session.held_bytes());
        self.memory.hold(self.call_bytes + secured);
    }

    /// Agrees with the peer on the encryption, where there is one.
    ///
    /// # Errors
    /// The connection's, or that the peer is not trusted or speaks no TLS.
    pub(super) async fn agree(&mut self, turns: &Turns) -> io::Result<()> {
        let mut answered = false;
        while let Some(secured) = &mut self.secured
            && secured.session.is_handshaking()
        {
            if secured.session.has_ended() || !secured.fill(&self.socket).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let turn = turns.turn(answered).await?;
            let outcome = secured.decrypt();
            turn.end().await;
            // A first message that comes in parts is no answer.
            answered |= secured.flush(&self.socket).await?;
            outcome?;
            self.count();
        }
        Ok(())
    }

    /// Whether the peer is in the middle of an encrypted record.
    pub(super) fn awaits_more(&self) -> bool {
        self.secured.as_ref().is_some_and(|secured| secured.session.awaits_more())
    }

    /// Receives into `buffer`, at most its capacity, and returns it.
    pub(super) async fn read(&mut self, mut buffer: Vec<u8>) -> (io::Result<Came>, Vec<u8>) {
        let Some(secured) = self.secured.as_mut() else {
            let (received, buffer) = self.socket.read(buffer).await;
            return (received.map(|bytes| if bytes == 0 { Came::End } else { Came::Bytes }), buffer);
        };
        if secured.session.plain().is_empty() {
            if secured.session.has_ended() {
                return (Ok(Came::End), buffer);
            }
            match secured.more(&self.socket).await {
                Ok(true) => {}
                Ok(false) => return (Ok(Came::End), buffer),
                Err(error) => return (Err(error), buffer),
            }
            self.memory.hold(self.call_bytes + secured.session.held_bytes());
        }
        if secured.session.plain().is_empty() {
            return (Ok(Came::Part), buffer);
        }
        let plain = secured.session.plain();
        let plain = &plain[..plain.len().min(buffer.capacity())];
        buffer.clear();
        buffer.extend_from_slice(plain);
        secured.session.consume(buffer.len());
        (Ok(Came::Bytes), buffer)
    }

    /// The socket itself, where what is sent on it is what was meant.
    pub(super) const fn plain(&self) -> Option<&TcpStream> {
        match self.secured {
            None => Some(&self.socket),
            Some(_) => None,
        }
    }

    /// What is known of the connection to the peer. Only for as long as the stream is kept.
    pub(super) fn line(&self) -> Line {
        Line(self.socket.as_raw_fd())
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
    /// Decrypts more of what was received, or receives more; whether there was any.
    async fn more(&mut self, socket: &TcpStream) -> io::Result<bool> {
        if !self.fill(socket).await? {
            return Ok(false);
        }
        let outcome = self.decrypt();
        // The alert that says what is wrong goes out first.
        self.flush(socket).await?;
        outcome.map(|()| true)
    }

    /// Receives, unless something is left to decrypt; whether there is anything then.
    async fn fill(&mut self, socket: &TcpStream) -> io::Result<bool> {
        if self.at < self.cipher.len() {
            return Ok(true);
        }
        let (result, buffer) = socket.read(std::mem::take(&mut self.cipher)).await;
        (self.cipher, self.at) = (buffer, 0);
        Ok(result? > 0)
    }

    fn decrypt(&mut self) -> io::Result<()> {
        let mut rest = &self.cipher[self.at..];
        let offered = rest.len();
        let received = self.session.receive(&mut rest);
        self.at += offered - rest.len();
        if self.at == self.cipher.len() {
            self.cipher.clear();
            self.at = 0;
        }
        received.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Sends what the encryption has to send; whether there was anything.
    async fn flush(&mut self, socket: &TcpStream) -> io::Result<bool> {
        let output = self.session.output();
        if output.is_empty() {
            return Ok(false);
        }
        socket.write_all(output).await.0?;
        Ok(true)
    }
}
