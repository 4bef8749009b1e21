//! The receiving half of a connection: bytes in any portions to whole messages.

use crate::message::Message;

/// How much a peer may ask for.
#[derive(Clone, Copy, Debug)]
pub struct InboundLimits {
    /// Longest message in bytes.
    pub message_bytes_max: usize,
    /// Deepest nesting of structs and containers.
    pub depth_max: usize,
}

/// Why the bytes of a connection can't be parsed any further. The connection must be closed after an
/// exception reply, if one can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {hint}")]
pub struct ProtocolError {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
    /// Dialect, method and sequence number, as far as they were received, to address a reply with.
    pub call: Option<(crate::message::Dialect, Vec<u8>, i32)>,
}

/// Finds messages in what a connection receives; keeps what is incomplete.
///
/// Work is linear in the bytes received, also when they come one by one. Memory is what was received of the
/// message in progress, never what a length in it claims.
#[derive(Debug)]
pub struct Inbound {}

impl Inbound {
    /// A new connection.
    #[must_use]
    pub const fn new(_limits: InboundLimits) -> Self {
        Self {}
    }

    /// The next whole message. Takes bytes off the front of `input`; when it returns `None`, all of `input`
    /// is taken and more is needed. A message that lies whole in `input` is borrowed from there.
    ///
    /// # Errors
    /// If the bytes can't be parsed any further.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        _input: &mut &'i [u8],
    ) -> Result<Option<Message<'s>>, ProtocolError> {
        unimplemented!("contract only")
    }

    /// Bytes kept of a message in progress.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        unimplemented!("contract only")
    }
}
