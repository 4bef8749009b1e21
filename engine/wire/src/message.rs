//! Thrift messages: `TBinaryProtocol`, strict and non-strict, unframed and framed.

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Expects a reply.
    Call,
    /// A result.
    Reply,
    /// An error.
    Exception,
    /// Expects none.
    Oneway,
}

/// How the peer writes messages, and so how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// With the version word in front of the name.
    pub strict: bool,
    /// With the message's length in front (`TFramedTransport`).
    pub framed: bool,
}

/// A whole message, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// How it is written.
    pub dialect: Dialect,
    /// Call, reply, exception or oneway.
    pub kind: MessageKind,
    /// The method.
    pub name: &'a [u8],
    /// The client's number for it, echoed in the reply.
    pub sequence: i32,
    /// The struct of the arguments (or of the result), up to and including its stop byte.
    pub body: &'a [u8],
}
