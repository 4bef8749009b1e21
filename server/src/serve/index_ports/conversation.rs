//! What goes to and fro on one connection: calls in, replies out, in order.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use logtank_wire::inbound::{Inbound, InboundLimits, ProtocolError};
use logtank_wire::message::{Dialect, Message, MessageKind};
use tokio::time::timeout;

use super::calls::{Answerer, Reply};
use super::connection::Bounds;
use super::ending::{End, Ending};
use super::reading_ahead::ReadingAhead;
use super::seats::Seat;
use super::sending::send;
use super::stream::{Came, Stream};
use super::turns::Turns;

/// Received at once. Calls are short: a method, an index code, a token.
const RECEIVE_BYTES: usize = 4096;
/// The longest call. Nothing that these services take is anywhere near.
const CALL_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of a call; the contract needs three.
const DEPTH_MAX: usize = 16;
/// A reply's buffer is given back when it has grown beyond this: most connections are idle most of the time.
const REPLY_BYTES_KEPT: usize = 16 * 1024;

/// A whole message, with its bytes.
pub(super) struct Asked {
    dialect: Dialect,
    kind: MessageKind,
    name: Vec<u8>,
    sequence: i32,
    body: Vec<u8>,
}

impl Asked {
    fn of(message: Message<'_>) -> Self {
        let Message { dialect, kind, name, sequence, body } = message;
        Self { dialect, kind, name: name.to_vec(), sequence, body: body.to_vec() }
    }

    pub(super) fn message(&self) -> Message<'_> {
        let Self { dialect, kind, name, sequence, body } = self;
        Message { dialect: *dialect, kind: *kind, name, sequence: *sequence, body }
    }
}

/// One connection's.
pub(super) struct Conversation {
    stream: Stream,
    seat: Seat,
    ending: Ending,
    bounds: Bounds,
    inbound: Inbound,
    received: Vec<u8>,
    /// How much of `received` has been looked at.
    taken: usize,
    /// When the message in progress began to arrive.
    begun: Option<Instant>,
    /// What the peer sends can't be parsed any further.
    broken: bool,
    /// To be used for the next reply; empty.
    spare: Vec<u8>,
    /// The next page is being read since the last reply.
    ahead: Option<ReadingAhead>,
}

impl Conversation {
    pub(super) fn new(stream: Stream, seat: Seat, ending: Ending, bounds: Bounds) -> Self {
        let limits = InboundLimits { message_bytes_max: CALL_BYTES_MAX, depth_max: DEPTH_MAX };
        Self {
            stream,
            seat,
            ending,
            bounds,
            inbound: Inbound::new(limits),
            received: Vec::new(),
            taken: 0,
            begun: None,
            broken: false,
            spare: Vec::new(),
            ahead: None,
        }
    }

    /// Agrees with the peer on the encryption, where there is one.
    pub(super) async fn agree(&mut self, turns: &Turns) -> Result<(), End> {
        tokio::select! {
            biased;
            end = self.ending.comes() => Err(end),
            end = self.ending.leaves() => Err(end),
            agreed = timeout(self.bounds.message_timeout, self.stream.agree(turns)) => match agreed {
                Ok(agreed) => agreed.map_err(End::Unsecured),
                Err(_) => Err(End::Gone),
            },
        }
    }

    /// The next whole message, or what is wrong with it, which ends the connection; `None`: the peer is done.
    pub(super) async fn next(&mut self) -> Result<Option<Result<Asked, ProtocolError>>, End> {
        while !self.broken {
            let mut input = &self.received[self.taken..];
            let found = self.inbound.next(&mut input).map(|message| message.map(Asked::of)).transpose();
            self.taken = self.received.len() - input.len();
            if let Some(found) = found {
                self.begun = None;
                self.broken = found.is_err();
                return Ok(Some(found));
            }
            if !self.fill().await? {
                break;
            }
        }
        Ok(None)
    }

    /// Receives more; `false`: nothing more comes.
    async fn fill(&mut self) -> Result<bool, End> {
        loop {
            self.stream.keeps(self.inbound.pending_bytes());
            if self.inbound.pending_bytes() > 0 || self.stream.awaits_more() {
                self.begun.get_or_insert_with(Instant::now);
            } else {
                self.begun = None;
                self.seat.rests();
                // It was asked to leave while its last call came in.
                if self.ending.has_to_leave() {
                    return Err(End::GaveWay);
                }
            }
            let patience = match self.begun {
                Some(begun) => self.bounds.message_timeout.saturating_sub(begun.elapsed()),
                None => self.bounds.idle_timeout.unwrap_or(Duration::MAX),
            };
            let mut buffer = std::mem::take(&mut self.received);
            buffer.clear();
            buffer.reserve_exact(RECEIVE_BYTES);
            self.taken = 0;
            let (came, buffer) = tokio::select! {
                biased;
                end = self.ending.comes() => return Err(end),
                received = timeout(patience, self.stream.read(buffer)) => received.map_err(|_| End::Gone)?,
                // Last: a call that has come meanwhile is answered.
                end = self.ending.leaves(), if self.begun.is_none() => return Err(end),
            };
            self.received = buffer;
            match came? {
                Came::Bytes => {
                    self.seat.asks();
                    return Ok(true);
                }
                Came::Part => self.seat.asks(),
                Came::End => return Ok(false),
            }
        }
    }

    /// Whose connection it is.
    pub(super) const fn peer(&self) -> IpAddr {
        self.stream.peer()
    }

    /// An empty reply.
    pub(super) fn new_reply(&mut self) -> Reply {
        Reply { bytes: std::mem::take(&mut self.spare), ..Reply::default() }
    }

    /// What was begun with the last reply.
    pub(super) const fn ahead(&mut self) -> Option<ReadingAhead> {
        self.ahead.take()
    }

    /// Completes when nobody waits for a reply any more.
    pub(super) async fn interrupted(&self) -> End {
        let line = self.stream.line();
        tokio::select! {
            biased;
            end = self.ending.comes() => end,
            () = line.goes(self.bounds.message_timeout) => End::Gone,
        }
    }

    /// Sends a reply.
    pub(super) async fn reply(&mut self, mut reply: Reply, answerer: &Answerer) -> Result<(), End> {
        self.ahead = reply.ahead.take();
        // What the peer does not take of it counts like what it does not finish.
        self.stream.keeps(reply.bytes.len());
        let mut sent = tokio::select! {
            biased;
            sent = send(&mut self.stream, answerer, reply, self.bounds.message_timeout) => sent?,
            end = self.ending.is_shed() => return Err(end),
        };
        if sent.capacity() <= REPLY_BYTES_KEPT {
            sent.clear();
            self.spare = sent;
        }
        Ok(())
    }

    /// Ends the connection, and lets the peer know.
    pub(super) async fn part(mut self, patience: Duration) {
        let _ = timeout(patience, self.stream.part()).await;
        self.stream.shut_down();
    }
}
