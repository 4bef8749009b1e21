//! One connection: a request out, a reply in.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

/// Length of the reply of a void method: version, name, sequence number, empty struct.
const REPLY_BYTES: usize = 4 + 4 + b"send_batch".len() + 4 + 1;

/// A connection with at most one request under way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    requests: Vec<Vec<u8>>,
    turn: usize,
    written: usize,
    reply: [u8; REPLY_BYTES],
    received: usize,
    /// When the request under way was due, if one is.
    pub(super) due: Option<Instant>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, requests: Vec<Vec<u8>>) -> Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(Self { stream, requests, turn: 0, written: 0, reply: [0; REPLY_BYTES], received: 0, due: None })
    }

    /// Begins the next request.
    pub(super) fn send(&mut self, due: Instant) -> Result<()> {
        self.due = Some(due);
        self.written = 0;
        self.received = 0;
        self.flush()
    }

    /// Goes on writing, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> Result<()> {
        let request = &self.requests[self.turn];
        while self.written < request.len() {
            match self.stream.write(&request[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether there is something left to write.
    pub(super) fn is_writing(&self) -> bool {
        self.due.is_some() && self.written < self.requests[self.turn].len()
    }

    /// Reads; true when the reply is whole.
    pub(super) fn receive(&mut self) -> Result<bool> {
        loop {
            match self.stream.read(&mut self.reply[self.received..]) {
                Ok(0) => return Err(Error::new(ErrorKind::UnexpectedEof, "the host closed the connection")),
                Ok(count) => self.received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // An exception's reply is longer, but says in its first bytes that it is one.
            if self.received >= 4 && self.reply[..4] != 0x8001_0002_u32.to_be_bytes() {
                return Err(Error::other("the host refused a batch: see its log and metrics"));
            }
            if self.received == REPLY_BYTES {
                self.turn = (self.turn + 1) % self.requests.len();
                return Ok(true);
            }
        }
    }
}
