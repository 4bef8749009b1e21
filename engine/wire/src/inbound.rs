//! The receiving half of a connection: bytes in any portions to whole messages.

use crate::foreign::Foreign;
use crate::head::{self, Head};
use crate::message::{Dialect, Message};
use crate::scan::{Bounds, Fault, HINT_CONTRACT, Scanner};

/// Room that an idle connection keeps for the next message that comes in parts.
const IDLE_CAPACITY_MAX: usize = 8 * 1024;
/// How much is taken first to complete a message in progress. Twice as much each time, so that what was taken beyond
/// its end is at most what it is long itself.
const FIRST_PORTION_BYTES: usize = 512;

/// How much a peer may ask for.
#[derive(Clone, Copy, Debug)]
pub struct InboundLimits {
    /// Longest message in bytes (of a framed one, without its frame's length).
    pub message_bytes_max: usize,
    /// Deepest nesting of structs and containers. The contract itself needs 5: arguments, batch, list, record, map.
    pub depth_max: usize,
}

/// Why the bytes of a connection can't be parsed any further. The connection must be closed after an
/// exception reply, if one can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {hint}")]
pub struct ProtocolError {
    /// What is wrong, and at which byte of the message.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
    /// Dialect, method and sequence number, as far as they were received, to address a reply with.
    pub call: Option<(Dialect, Vec<u8>, i32)>,
    /// Whether who sent it expects a length in front of an answer.
    framed: bool,
}

impl ProtocolError {
    /// Dialect, method and sequence number to address a reply with: those of the call, or where they are not known what
    /// a peer can make most of.
    #[must_use]
    pub fn address(&self) -> (Dialect, &[u8], i32) {
        match &self.call {
            Some((dialect, name, sequence)) => (*dialect, name, *sequence),
            None => (Dialect { strict: true, framed: self.framed }, &[], 0),
        }
    }
}

/// Finds messages in what a connection receives; keeps what is incomplete.
///
/// Work is linear in the bytes received, also when they come one by one. Memory is what was received of the
/// message in progress (at most twice that, as a vector grows), never what a length in it claims.
#[derive(Debug)]
pub struct Inbound {
    limits: InboundLimits,
    /// The bytes of the message in progress, or of the last one if `delivered`.
    pending: Vec<u8>,
    delivered: bool,
    progress: Progress,
    failed: Option<ProtocolError>,
}

/// What is known of the connection and of the message in progress.
#[derive(Debug)]
struct Progress {
    framed: Option<bool>,
    head: Option<Head>,
    scanner: Scanner,
}

impl Inbound {
    /// A new connection.
    #[must_use]
    pub const fn new(limits: InboundLimits) -> Self {
        Self {
            limits,
            pending: Vec::new(),
            delivered: false,
            progress: Progress { framed: None, head: None, scanner: Scanner::new() },
            failed: None,
        }
    }

    /// The next whole message. Takes bytes off the front of `input`; when it returns `None`, all of `input`
    /// is taken and more is needed. A message that lies whole in `input` is borrowed from there.
    ///
    /// # Errors
    /// If the bytes can't be parsed any further; each later call gives the same error again.
    #[inline]
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Message<'s>>, ProtocolError> {
        if self.delivered {
            self.forget();
        }
        if !self.pending.is_empty() || self.failed.is_some() {
            return self.next_of_pending(input);
        }
        let bytes: &'i [u8] = input;
        match self.progress.scan(bytes, self.limits) {
            Ok(Some((head, end))) => {
                *input = &bytes[end..];
                Ok(Some(message(&bytes[..end], &head)))
            }
            Ok(None) => {
                self.pending.extend_from_slice(bytes);
                *input = &[];
                Ok(None)
            }
            Err(fault) => Err(self.fail(fault, bytes)),
        }
    }

    /// Completes the message in progress.
    fn next_of_pending<'s>(&'s mut self, input: &mut &[u8]) -> Result<Option<Message<'s>>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut portion = FIRST_PORTION_BYTES;
        let (head, end) = loop {
            if input.is_empty() {
                return Ok(None);
            }
            let missing = self.progress.needed().saturating_sub(self.pending.len());
            let (taken, rest) = input.split_at(portion.max(missing).min(input.len()));
            self.pending.extend_from_slice(taken);
            match self.progress.scan(&self.pending, self.limits) {
                Ok(Some((head, end))) => {
                    *input = &input[taken.len() - (self.pending.len() - end)..];
                    break (head, end);
                }
                Ok(None) => {
                    *input = rest;
                    portion *= 2;
                }
                Err(fault) => {
                    let pending = std::mem::take(&mut self.pending);
                    return Err(self.fail(fault, &pending));
                }
            }
        };
        self.delivered = true;
        Ok(Some(message(&self.pending[..end], &head)))
    }

    /// Bytes kept of a message in progress.
    #[must_use]
    pub const fn pending_bytes(&self) -> usize {
        if self.delivered { 0 } else { self.pending.len() }
    }

    /// Lets go of the message that was delivered last.
    fn forget(&mut self) {
        self.delivered = false;
        if self.pending.capacity() > IDLE_CAPACITY_MAX {
            self.pending = Vec::new();
        } else {
            self.pending.clear();
        }
    }

    #[cold]
    fn fail(&mut self, fault: Fault, bytes: &[u8]) -> ProtocolError {
        let error = ProtocolError {
            what: format!("{} (byte {} of the message)", fault.what, fault.at),
            hint: fault.hint,
            call: head::read_leniently(bytes, self.progress.framed),
            framed: self.progress.framed.unwrap_or_else(|| {
                Foreign::recognize(bytes, self.limits.message_bytes_max).is_some_and(Foreign::is_framed)
            }),
        };
        self.failed = Some(error.clone());
        error
    }
}

impl Progress {
    /// Goes on in `bytes`, which begin with the message in progress. Returns its head and its end, if they are there.
    #[inline]
    fn scan(&mut self, bytes: &[u8], limits: InboundLimits) -> Result<Option<(Head, usize)>, Fault> {
        let head = match self.head {
            Some(head) => head,
            None => match self.begin(bytes, limits)? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        let bounds = Bounds { end_max: head.end_max, depth_max: limits.depth_max };
        let Some(end) = self.scanner.run(bytes, bounds)? else {
            self.head = Some(head);
            return Ok(None);
        };
        if head.dialect.framed && end != head.end_max {
            return Err(Fault {
                at: end,
                what: "a frame does not end with its message",
                hint: HINT_CONTRACT,
            });
        }
        self.head = None;
        Ok(Some((head, end)))
    }

    #[inline]
    fn begin(&mut self, bytes: &[u8], limits: InboundLimits) -> Result<Option<Head>, Fault> {
        if self.framed.is_none() {
            self.framed = head::detect_framed(bytes, limits.message_bytes_max)?;
        }
        let Some(framed) = self.framed else { return Ok(None) };
        let head = head::read(bytes, framed, limits.message_bytes_max)?;
        if let Some(head) = head {
            self.scanner.begin_struct(head.body);
        }
        Ok(head)
    }

    /// Bytes must reach at least to here before a scan can get any further.
    const fn needed(&self) -> usize {
        if self.head.is_some() { self.scanner.needed() } else { 0 }
    }
}

#[inline]
fn message<'a>(bytes: &'a [u8], head: &Head) -> Message<'a> {
    Message {
        dialect: head.dialect,
        kind: head.kind,
        name: &bytes[head.name.0..head.name.1],
        sequence: head.sequence,
        body: &bytes[head.body..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory is bounded by what was received, and let go when the message was.
    #[test]
    fn memory_follows_what_was_received() {
        let mut inbound = Inbound::new(InboundLimits { message_bytes_max: 1 << 30, depth_max: 32 });
        // A string that claims 512 MiB.
        let mut claim = &b"\x80\x01\0\x01\0\0\0\x01m\0\0\0\x01\x0b\0\x01\x20\0\0\0"[..];
        assert!(inbound.next(&mut claim).unwrap().is_none());
        let mut received = 20;
        for _ in 0..1000 {
            received += 777;
            assert!(inbound.next(&mut &[b'x'; 777][..]).unwrap().is_none());
            assert_eq!(inbound.pending_bytes(), received);
            assert!(inbound.pending.capacity() <= 2 * received);
        }

        let mut inbound = Inbound::new(InboundLimits { message_bytes_max: 1 << 30, depth_max: 32 });
        let mut message = b"\x80\x01\0\x01\0\0\0\x01m\0\0\0\x01\x0b\0\x01\0\x10\0\0".to_vec();
        message.resize(message.len() + (1 << 20) + 1, 0);
        let (first, second) = message.split_at(1000);
        assert!(inbound.next(&mut &first[..]).unwrap().is_none());
        assert_eq!(inbound.next(&mut &second[..]).unwrap().unwrap().body.len(), 7 + (1 << 20) + 1);
        assert_eq!(inbound.pending_bytes(), 0);
        assert!(inbound.next(&mut &[][..]).unwrap().is_none());
        assert_eq!(inbound.pending.capacity(), 0);
    }

    /// Bytes of other messages that come with the end of one in progress are not all copied.
    #[test]
    fn what_follows_a_message_in_progress_is_borrowed() {
        let message = b"\x80\x01\0\x01\0\0\0\x01m\0\0\0\x01\0";
        let stream = message.repeat(10_000);
        let mut inbound = Inbound::new(InboundLimits { message_bytes_max: 1 << 30, depth_max: 32 });
        assert!(inbound.next(&mut &stream[..5]).unwrap().is_none());
        let mut input = &stream[5..];
        let mut found = 0;
        while inbound.next(&mut input).unwrap().is_some() {
            found += 1;
            assert!(inbound.pending.capacity() <= 2 * FIRST_PORTION_BYTES);
        }
        assert_eq!(found, 10_000);
    }
}
