//! The table of connections: what each peer is in the middle of sending, and what it is owed.
//!
//! An idle connection costs its row and nothing else: buffers come when bytes do, and go again.

use logtank_wire::inbound::{Inbound, InboundLimits};
use slab::Slab;

use crate::io::op::ConnectionId;
use crate::time::MonoNanos;

/// A reply of which only this is known yet counts as so many bytes.
const WAITING_REPLY_BYTES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Requests are read and answered.
    Open,
    /// Nothing more is read; it is closed when what it is owed is sent. `linger`: first say so, and wait until the
    /// peer has seen it, or closing would take the last reply back from it.
    Finishing { linger: bool },
    /// All is sent and the peer knows; waits for it to close.
    Lingering,
    /// Being closed.
    Closing,
}

/// The sending half and the state of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: ConnectionId,
    pub(super) phase: Phase,
    /// Replies to be sent next.
    pub(super) out: Vec<u8>,
    /// Bytes of replies being sent; `None`: nothing is.
    pub(super) sending: Option<usize>,
    /// Replies that wait for their batches.
    pub(super) waiting: usize,
    /// Frame that the last of them waits for.
    pub(super) last_frame: u64,
    pub(super) paused: bool,
    /// It is in the list of those to be looked at, at the end of the turn.
    pub(super) listed: bool,
    /// When the message in progress began to arrive.
    pub(super) message_begun: Option<MonoNanos>,
    /// Last time that anything came or went.
    pub(super) active: MonoNanos,
    /// When it is closed whatever it is owed.
    pub(super) expires: Option<MonoNanos>,
}

impl Peer {
    /// What it is owed, at least, in bytes.
    pub(super) fn owed_bytes(&self) -> usize {
        self.out.len() + self.sending.unwrap_or(0) + self.waiting * WAITING_REPLY_BYTES
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) inbound: Inbound,
    /// Bytes that the inbound half keeps, as last counted.
    pub(super) pending_bytes: usize,
    /// Bytes that the driver keeps of it.
    pub(super) outside_bytes: usize,
    pub(super) peer: Peer,
}

impl Connection {
    /// Bytes that closing it gives back at once.
    pub(super) fn held_bytes(&self) -> usize {
        self.pending_bytes + self.outside_bytes + self.peer.out.len()
    }

    /// How much it holds, times how long it has.
    pub(super) fn holding(&self, now: MonoNanos) -> u128 {
        let since = self.peer.message_begun.unwrap_or(self.peer.active);
        // Of those that began in the same instant, the greatest.
        self.held_bytes() as u128 * (now.since(since).as_nanos() + 1)
    }

    /// Frees what it holds, and returns how many bytes that were.
    pub(super) fn let_go(&mut self) -> usize {
        let held = self.held_bytes();
        // Nothing more is received from it.
        self.inbound = Inbound::new(InboundLimits { message_bytes_max: 0, depth_max: 0 });
        self.pending_bytes = 0;
        self.outside_bytes = 0;
        self.peer.out = Vec::new();
        held
    }
}

#[derive(Debug)]
pub(super) struct Connections {
    rows: Slab<Box<Connection>>,
    /// Connections ever opened; tells two uses of one row apart.
    opened: u32,
    most: usize,
    limits: InboundLimits,
}

impl Connections {
    pub(super) const fn new(most: usize, limits: InboundLimits) -> Self {
        Self { rows: Slab::new(), opened: 0, most, limits }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A new row, if there is one.
    pub(super) fn open(&mut self, now: MonoNanos) -> Option<ConnectionId> {
        if self.rows.len() >= self.most {
            return None;
        }
        let row = self.rows.vacant_entry();
        self.opened = self.opened.wrapping_add(1);
        let id = ConnectionId { slot: u32::try_from(row.key()).ok()?, generation: self.opened };
        let peer = Peer {
            id,
            phase: Phase::Open,
            out: Vec::new(),
            sending: None,
            waiting: 0,
            last_frame: 0,
            paused: false,
            listed: false,
            message_begun: None,
            active: now,
            expires: None,
        };
        row.insert(Box::new(Connection {
            inbound: Inbound::new(self.limits),
            pending_bytes: 0,
            outside_bytes: 0,
            peer,
        }));
        Some(id)
    }

    /// The connection, unless it is gone.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let connection = self.rows.get_mut(id.slot as usize)?;
        if connection.peer.id == id { Some(connection) } else { None }
    }

    /// Frees the row.
    ///
    /// # Panics
    /// If the connection is gone already: its end was reported twice.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Connection {
        let connection = self.rows.try_remove(id.slot as usize).expect("a connection ended twice");
        assert_eq!(connection.peer.id, id, "a connection ended twice");
        *connection
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.rows.iter_mut().map(|(_, connection)| &mut **connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_costs_less_than_half_a_kibibyte() {
        assert!(
            size_of::<Connection>() + size_of::<Option<Box<Connection>>>() < 512,
            "{}",
            size_of::<Connection>()
        );
    }

    #[test]
    fn a_slot_used_again_is_another_connection() {
        let mut connections = Connections::new(1, InboundLimits { message_bytes_max: 4096, depth_max: 8 });
        let first = connections.open(MonoNanos(1)).unwrap();
        assert_eq!(connections.open(MonoNanos(1)), None);
        connections.remove(first);
        let second = connections.open(MonoNanos(2)).unwrap();
        assert_eq!(first.slot, second.slot);
        assert!(connections.get_mut(first).is_none() && connections.get_mut(second).is_some());
    }
}
