use std::io::{Error, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use logtank_wire::client::{request, response};
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::{Dialect, Message};
use logtank_wire::page::LogPageToken;
use logtank_wire::record::RecordView;

const DIALECT: Dialect = Dialect { strict: true, framed: true };
/// Pages hold 5 MiB, or one record.
const LIMITS: InboundLimits = InboundLimits { message_bytes_max: 64 << 20, depth_max: 16 };
const PATIENCE: Duration = Duration::from_secs(60);

/// A recovery of one index, page by page.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: TcpStream,
    index: Vec<u8>,
    /// Where to go on; none when it is complete.
    token: Option<LogPageToken>,
    page: Vec<u8>,
    /// Time from requests to their whole replies; what this side does with them is left out.
    pub(crate) waited: Duration,
}

/// A page, borrowed.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    bytes: &'a [u8],
}

impl Reader {
    /// Begins a recovery.
    ///
    /// # Errors
    /// If there is no host.
    pub(crate) fn connect(address: SocketAddr, index: &str) -> Result<Self> {
        let stream = connect(address)?;
        let (index, token) = (index.as_bytes().to_vec(), Some(LogPageToken::default()));
        Ok(Self { stream, index, token, page: Vec::new(), waited: Duration::ZERO })
    }

    /// The next page; none after the last.
    ///
    /// # Errors
    /// The host's refusal, or a broken connection.
    pub(crate) fn next_page(&mut self) -> Result<Option<Page<'_>>> {
        let Some(token) = self.token.take() else { return Ok(None) };
        let mut call = Vec::new();
        request::read_page(&mut call, DIALECT, 0, &self.index, &token);
        let began = Instant::now();
        exchange(&mut self.stream, &call, &mut self.page)?;
        self.waited += began.elapsed();
        let page = |message: &Message<'_>| response::page(message).map(|page| page.next_page_token);
        self.token = message(&self.page, |message| page(message).map_err(Error::other))?;
        Ok(Some(Page { bytes: &self.page }))
    }
}

impl Page<'_> {
    /// Bytes on the wire.
    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Calls `each` with every record, in order.
    ///
    /// # Errors
    /// If a record can't be read.
    pub(crate) fn each(&self, mut each: impl FnMut(&RecordView<'_>)) -> Result<()> {
        let mut inbound = Inbound::new(LIMITS);
        let mut input = self.bytes;
        let found = inbound.next(&mut input).map_err(Error::other)?;
        let page =
            response::page(&found.ok_or_else(|| Error::other("half a page"))?).map_err(Error::other)?;
        for record in page.records {
            each(&record.map_err(Error::other)?.0);
        }
        Ok(())
    }
}

/// Connects to a port of calls.
pub(super) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .map_err(|error| Error::new(error.kind(), format!("connecting to {address}: {error}")))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a framed call, and receives the frame of its reply, with its length.
pub(super) fn exchange(stream: &mut TcpStream, call: &[u8], reply: &mut Vec<u8>) -> Result<()> {
    stream.write_all(call)?;
    reply.resize(4, 0);
    stream.read_exact(reply)?;
    let length = u32::from_be_bytes(reply[..4].try_into().expect("four bytes")) as usize;
    if length > LIMITS.message_bytes_max {
        return Err(Error::other(format!("a reply of {length} bytes")));
    }
    reply.resize(4 + length, 0);
    stream.read_exact(&mut reply[4..])
}

/// What `read` finds in a framed message.
pub(super) fn message<T>(bytes: &[u8], read: impl FnOnce(&Message<'_>) -> Result<T>) -> Result<T> {
    let mut inbound = Inbound::new(LIMITS);
    let mut input = bytes;
    let found = inbound.next(&mut input).map_err(Error::other)?;
    read(&found.ok_or_else(|| Error::other("half a message"))?)
}
