use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use logtank_wire::client::response::ResponseError;
use logtank_wire::inbound::{Inbound, InboundLimits, ProtocolError};
use logtank_wire::message::{Dialect, Message};

use super::tls::{Encryption, Stream};

/// As the original's clients write: unframed, with the version in front.
const DIALECT: Dialect = Dialect { strict: true, framed: false };
/// A page holds 5 MiB of records or one record, and no record is longer than a message may be.
const REPLY_LIMITS: InboundLimits = InboundLimits { message_bytes_max: 1 << 30, depth_max: 16 };

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The connection failed: whether the host carried the call out is unknown.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// The host's reply is no Thrift, or not the reply to this call.
    #[error("the host's reply can't be read: {0}")]
    Protocol(String),
    /// The host answered with an exception.
    #[error("the host answered: {0}")]
    Refused(String),
}

impl From<ProtocolError> for CallError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl From<ResponseError> for CallError {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Exception { text, .. } => Self::Refused(text),
            other @ (ResponseError::NotAReply | ResponseError::NoResult | ResponseError::Malformed(_)) => {
                Self::Protocol(other.to_string())
            }
        }
    }
}

/// A connection to one of a host's ports.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    inbound: Inbound,
    received: Vec<u8>,
    sent: Vec<u8>,
    sequence: i32,
}

impl Connection {
    /// Connects to `HOST:PORT`; no reply may take longer than `timeout`.
    ///
    /// # Errors
    /// The system's, of the last address tried.
    pub(crate) fn open(address: &str, timeout: Duration, encryption: &Encryption) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for resolved in address.to_socket_addrs()? {
            match connect(resolved, timeout) {
                Ok(socket) => return Ok(Self::over(encryption.wrap(socket, address)?)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn over(stream: Stream) -> Self {
        let inbound = Inbound::new(REPLY_LIMITS);
        Self { stream, inbound, received: vec![0; 64 * 1024], sent: Vec::new(), sequence: 0 }
    }

    /// Sends the call that `encode` appends, waits for its reply and gives it to `decode`.
    ///
    /// # Errors
    /// After anything but [`CallError::Refused`], the connection is of no further use.
    pub(crate) fn call<T>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>, Dialect, i32),
        decode: impl FnOnce(&Message<'_>) -> Result<T, ResponseError>,
    ) -> Result<T, CallError> {
        self.sequence = self.sequence.wrapping_add(1);
        self.sent.clear();
        encode(&mut self.sent, DIALECT, self.sequence);
        self.stream.write_all(&self.sent)?;
        self.stream.flush()?;
        loop {
            let length = self.stream.read(&mut self.received).map_err(explain)?;
            if length == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host closed it").into());
            }
            let mut input = &self.received[..length];
            if let Some(message) = self.inbound.next(&mut input)? {
                if message.sequence != self.sequence || !input.is_empty() {
                    return Err(CallError::Protocol("it belongs to another call".to_owned()));
                }
                return Ok(decode(&message)?);
            }
        }
    }
}

/// A socket on which nothing takes longer than `timeout`.
pub(super) fn connect(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}

/// A timed out read says "resource temporarily unavailable", which helps nobody.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, "no reply in time; is the host overloaded?")
        }
        _ => error,
    }
}
