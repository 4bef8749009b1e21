//! The host's own protocol: a batch is one `send_batch`.

use logtank_wire::client::{request, response};
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::Dialect;
use logtank_wire::reply;

use super::Reply;
use crate::load::Encoded;

const DIALECT: Dialect = Dialect { strict: true, framed: false };
const METHOD: &[u8] = b"send_batch";
const LIMITS: InboundLimits = InboundLimits { message_bytes_max: 1 << 20, depth_max: 8 };

pub(super) fn request(records: &[Encoded]) -> Vec<u8> {
    let mut out = Vec::new();
    request::send_batch(&mut out, DIALECT, 0, records.iter().map(|record| record.bytes.as_slice()));
    out
}

fn acknowledgement() -> Vec<u8> {
    let mut out = Vec::new();
    reply::void(&mut out, DIALECT, METHOD, 0);
    out
}

/// Length of an acknowledgement: version, name with its length, sequence number, empty struct.
pub(crate) const fn reply_bytes() -> usize {
    4 + 4 + METHOD.len() + 4 + 1
}

/// Every acknowledgement is the same, so it is compared; only others are parsed.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    acknowledgement: Vec<u8>,
    received: Vec<u8>,
}

impl Default for Replies {
    fn default() -> Self {
        Self { acknowledgement: acknowledgement(), received: Vec::new() }
    }
}

impl Replies {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Reply {
        if self.received.is_empty() && bytes == self.acknowledgement {
            return Reply::Acknowledged;
        }
        self.received.extend_from_slice(bytes);
        let reply = self.parse();
        if reply != Reply::Incomplete {
            self.received.clear();
        }
        reply
    }

    fn parse(&self) -> Reply {
        match Inbound::new(LIMITS).next(&mut self.received.as_slice()) {
            Ok(None) => Reply::Incomplete,
            Ok(Some(message)) => match response::void(&message) {
                Ok(()) => Reply::Acknowledged,
                Err(error) => Reply::Refused(error.to_string()),
            },
            Err(error) => Reply::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_come_in_any_portions() {
        let mut replies = Replies::default();
        let bytes = acknowledgement();
        assert_eq!(bytes.len(), reply_bytes());
        assert_eq!(replies.take(&bytes), Reply::Acknowledged);
        for _ in 0..2 {
            assert_eq!(replies.take(&bytes[..7]), Reply::Incomplete);
            assert_eq!(replies.take(&bytes[7..]), Reply::Acknowledged);
        }
    }

    #[test]
    fn a_refusal_is_told() {
        let mut bytes = Vec::new();
        reply::exception(
            &mut bytes,
            DIALECT,
            METHOD,
            0,
            reply::ExceptionKind::InternalError,
            "the drive is full",
        );
        let Reply::Refused(why) = Replies::default().take(&bytes) else { panic!("not refused") };
        assert!(why.contains("the drive is full"), "{why}");
    }
}
