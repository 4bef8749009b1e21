//! What one peer is owed: an answer to each call, once, in order.

use std::collections::VecDeque;

use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::{Dialect, MessageKind};

/// The calls of one peer that are not answered yet.
#[derive(Debug)]
pub(crate) struct Ledger {
    inbound: Inbound,
    failed: bool,
    owed: VecDeque<Owed>,
}

/// A call that is to be answered.
#[derive(Debug)]
struct Owed {
    dialect: Dialect,
    name: Vec<u8>,
    sequence: i32,
    /// The bytes behind it can't be parsed: only an exception can answer it.
    broken: bool,
}

impl Ledger {
    /// Of a new connection under these limits.
    pub(crate) fn new(limits: InboundLimits) -> Self {
        Self { inbound: Inbound::new(limits), failed: false, owed: VecDeque::new() }
    }

    /// These bytes were taken from the peer.
    pub(crate) fn received(&mut self, mut bytes: &[u8]) {
        while !self.failed {
            match self.inbound.next(&mut bytes) {
                Ok(Some(message)) if message.kind == MessageKind::Oneway => {}
                Ok(Some(message)) => self.owed.push_back(Owed {
                    dialect: message.dialect,
                    name: message.name.to_vec(),
                    sequence: message.sequence,
                    broken: false,
                }),
                Ok(None) => return,
                Err(error) => {
                    self.failed = true;
                    let (dialect, name, sequence) = error.address();
                    self.owed.push_back(Owed { dialect, name: name.to_vec(), sequence, broken: true });
                }
            }
        }
    }

    /// These bytes are sent to the peer: whole answers to what it is owed, in order.
    pub(crate) fn replied(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let owed = self.owed.pop_front().expect("an answer to nothing");
            bytes = owed.answered_by(bytes);
        }
    }

    /// Whether it is owed nothing.
    pub(crate) fn is_settled(&self) -> bool {
        self.owed.is_empty()
    }
}

impl Owed {
    /// Takes the answer off the front of `bytes`. Read naively: what is tested must not read its own writing.
    fn answered_by<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let mut reply = Bytes(bytes);
        let frame_bytes = self.dialect.framed.then(|| reply.length());
        let begin = reply.0.len();
        let kind = if self.dialect.strict {
            let version = reply.take(4);
            assert_eq!(version[..3], [0x80, 1, 0], "another version than the call's");
            version[3]
        } else {
            0
        };
        let length = reply.length();
        assert_eq!(reply.take(length), self.name, "the answer to another method");
        let kind = if self.dialect.strict { kind } else { reply.take(1)[0] };
        assert_eq!(reply.take(4), self.sequence.to_be_bytes(), "the answer to another call");
        match kind {
            2 => {
                assert!(!self.broken, "a broken call succeeds");
                assert_eq!(reply.take(1), [0], "a method without result has none");
            }
            3 => {
                assert_eq!(reply.take(3), [11, 0, 1]);
                let length = reply.length();
                assert!(std::str::from_utf8(reply.take(length)).is_ok_and(|text| !text.is_empty()));
                assert_eq!(reply.take(3), [8, 0, 2]);
                assert!((1..=7).contains(&reply.length()), "a kind of exception");
                assert_eq!(reply.take(1), [0]);
            }
            other => panic!("an answer of type {other}"),
        }
        if let Some(frame_bytes) = frame_bytes {
            assert_eq!(begin - reply.0.len(), frame_bytes, "the frame's length");
        }
        reply.0
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(count).expect("an answer is cut off");
        self.0 = rest;
        taken
    }

    fn length(&mut self) -> usize {
        let bytes = self.take(4).try_into().expect("four bytes");
        u32::from_be_bytes(bytes).try_into().expect("it fits")
    }
}
