//! What stands around the struct of a message.

use crate::head::VERSION_1;
use crate::message::{Dialect, MessageKind};
use crate::put;

/// A message that was begun; where its frame's length belongs, if it has one.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Envelope {
    start: usize,
    framed: bool,
}

impl Envelope {
    /// Appends all that stands in front of the struct.
    pub(crate) fn begin(
        out: &mut Vec<u8>,
        dialect: Dialect,
        kind: MessageKind,
        name: &[u8],
        sequence: i32,
    ) -> Self {
        let start = out.len();
        if dialect.framed {
            put::i32(out, 0);
        }
        let code: u8 = match kind {
            MessageKind::Call => 1,
            MessageKind::Reply => 2,
            MessageKind::Exception => 3,
            MessageKind::Oneway => 4,
        };
        if dialect.strict {
            out.extend_from_slice(&(VERSION_1 | u32::from(code)).to_be_bytes());
            put::string(out, name);
        } else {
            put::string(out, name);
            out.push(code);
        }
        put::i32(out, sequence);
        Self { start, framed: dialect.framed }
    }

    /// Ends the message, whose struct was appended meanwhile.
    pub(crate) fn end(self, out: &mut [u8]) {
        self.end_around(out, 0);
    }

    /// As [`Self::end`], of a message of which the caller sends this many bytes more, that are not in `out`.
    pub(crate) fn end_around(self, out: &mut [u8], elsewhere: usize) {
        if self.framed {
            put::length_at(out, self.start, out.len() - self.start - 4 + elsewhere);
        }
    }
}
