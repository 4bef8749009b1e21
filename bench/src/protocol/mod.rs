//! What is spoken with a server: how a batch becomes one request, and what its whole reply is. One file a protocol.

mod nats;
mod redis;
mod thrift;

use std::io::Result;
use std::net::TcpStream;

use crate::load::Encoded;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The host's own, unframed and strict.
    Thrift,
    /// The same requests; each is answered by as many bytes as the host answers with, whatever they are.
    Echo,
    /// Redis streams: an XADD for each record, all of a batch at once.
    Redis,
    /// NATS JetStream: a PUB for each record, all of a batch at once.
    Nats,
}

/// What has come of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// More has to come.
    Incomplete,
    /// The whole batch is.
    Acknowledged,
    /// It, or a record of it, was answered by an error.
    Refused(String),
}

/// Finds the end of replies on one connection.
#[derive(Clone, Debug)]
pub(crate) enum Replies {
    Thrift(thrift::Replies),
    /// Bytes of the reply under way.
    Echo(usize),
    Redis(redis::Replies),
    Nats(nats::Replies),
}

impl Protocol {
    /// What a connection begins with, up to where requests can be sent.
    pub(crate) fn greet(self, stream: &mut TcpStream, connection: usize) -> Result<()> {
        match self {
            Self::Thrift | Self::Echo | Self::Redis => Ok(()),
            Self::Nats => nats::greet(stream, connection),
        }
    }

    /// A batch as bytes.
    pub(crate) fn request(self, connection: usize, records: &[Encoded]) -> Vec<u8> {
        match self {
            Self::Thrift | Self::Echo => thrift::request(records),
            Self::Redis => redis::request(records),
            Self::Nats => nats::request(connection, records),
        }
    }

    /// For a new connection, whose batches are of this many records.
    pub(crate) fn replies(self, batch: usize) -> Replies {
        match self {
            Self::Thrift => Replies::Thrift(thrift::Replies::default()),
            Self::Echo => Replies::Echo(0),
            Self::Redis => Replies::Redis(redis::Replies::new(batch)),
            Self::Nats => Replies::Nats(nats::Replies::new(batch)),
        }
    }
}

impl Replies {
    /// More bytes of the reply under way.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Reply {
        match self {
            Self::Thrift(replies) => replies.take(bytes),
            Self::Echo(received) => {
                *received += bytes.len();
                if *received < reply_bytes() {
                    return Reply::Incomplete;
                }
                *received = 0;
                Reply::Acknowledged
            }
            Self::Redis(replies) => replies.take(bytes),
            Self::Nats(replies) => replies.take(bytes),
        }
    }
}

pub(crate) use nats::create_stream as create_nats_stream;
pub(crate) use thrift::reply_bytes;
