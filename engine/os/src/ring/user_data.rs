//! What a completion carries to say whose it is: kind, slot, generation.

use logtank_engine::io::{ConnectionId, Token};

/// What an operation of the ring is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The mailbox's eventfd is read.
    Mail,
    /// A connection receives, many times.
    Receive(ConnectionId),
    /// A connection sends.
    Send(ConnectionId),
    /// A connection's receiving is cancelled, or the connection shut down.
    Control(ConnectionId),
    /// A file is written or synced.
    Disk(Token),
    /// A hint, whose result is of no interest.
    Hint,
}

const PAYLOAD: u64 = (1 << Token::BITS) - 1;

impl Purpose {
    pub(super) fn pack(self) -> u64 {
        let connection = |id: ConnectionId| {
            assert!(id.slot < 1 << 24, "connections are numbered in 24 bits");
            u64::from(id.slot) << 32 | u64::from(id.generation)
        };
        let (kind, payload): (u64, u64) = match self {
            Self::Mail => (1, 0),
            Self::Receive(id) => (2, connection(id)),
            Self::Send(id) => (3, connection(id)),
            Self::Control(id) => (4, connection(id)),
            Self::Disk(token) => (5, token.packed()),
            Self::Hint => (6, 0),
        };
        kind << Token::BITS | payload
    }

    /// # Panics
    /// If this ring never began such an operation.
    pub(super) fn unpack(user_data: u64) -> Self {
        let payload = user_data & PAYLOAD;
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the generation")]
        let connection = ConnectionId { slot: (payload >> 32) as u32, generation: payload as u32 };
        match user_data >> Token::BITS {
            1 => Self::Mail,
            2 => Self::Receive(connection),
            3 => Self::Send(connection),
            4 => Self::Control(connection),
            5 => Self::Disk(Token::from_packed(payload)),
            6 => Self::Hint,
            other => panic!("a completion of an unknown kind {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_survive_the_kernel() {
        let id = ConnectionId { slot: 0xff_ffff, generation: u32::MAX };
        let token = Token::from_packed(PAYLOAD);
        for purpose in [
            Purpose::Mail,
            Purpose::Receive(id),
            Purpose::Send(ConnectionId { slot: 0, generation: 7 }),
            Purpose::Control(id),
            Purpose::Disk(token),
            Purpose::Hint,
        ] {
            assert_eq!(Purpose::unpack(purpose.pack()), purpose);
        }
    }
}
