use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use logtank_wire::client::response::ResponseError;
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::{Dialect, Message};

use super::address::resolve;
use super::error::CallError;
use super::tls::{Encryption, Stream};

/// As the original's clients write: unframed, with the version in front.
const DIALECT: Dialect = Dialect { strict: true, framed: false };
/// Kept of the beginning of a reply, to see what it is if it is none.
const FIRST_BYTES: usize = 64;
/// To connect takes no longer than this, however long a reply may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// A page holds 5 MiB of records or one record, and no record is longer than a message may be.
const REPLY_LIMITS: InboundLimits = InboundLimits { message_bytes_max: 1 << 30, depth_max: 16 };

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
    pub(crate) fn open(address: &str, timeout: Duration, encryption: &Encryption) -> Result<Self, CallError> {
        let mut last = None;
        for resolved in resolve(address)? {
            match connect(resolved, timeout) {
                Ok(socket) => return Ok(Self::over(encryption.wrap(socket, address)?)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("a name has an address").into())
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
        if let Err(error) = self.stream.write_all(&self.sent).and_then(|()| self.stream.flush()) {
            // A peer that is no host may have said what it is before it broke the connection off.
            let length = self.stream.read(&mut self.received).unwrap_or(0);
            return Err(CallError::of_foreign(&self.received[..length], "Thrift")
                .unwrap_or_else(|| CallError::of_stream(error)));
        }
        let mut first = Vec::new();
        loop {
            let length = match self.stream.read(&mut self.received).map_err(CallError::of_stream) {
                Ok(0) | Err(_) if CallError::of_foreign(&first, "Thrift").is_some() => {
                    return Err(CallError::of_foreign(&first, "Thrift").expect("it was seen"));
                }
                Ok(0) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host closed it").into());
                }
                length => length?,
            };
            let mut input = &self.received[..length];
            if first.len() < FIRST_BYTES {
                first.extend_from_slice(&input[..length.min(FIRST_BYTES - first.len())]);
            }
            let message = self.inbound.next(&mut input).map_err(|error| {
                CallError::of_foreign(&first, "Thrift").unwrap_or(CallError::Protocol(error.what))
            })?;
            if let Some(message) = message {
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
    let stream = TcpStream::connect_timeout(&address, timeout.min(CONNECT_PATIENCE))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}
