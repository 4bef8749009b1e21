//! The table of connections: what each peer is in the middle of sending, and what it is owed.
//!
//! An idle connection costs its row and nothing else: buffers come when bytes do, and go again.

use logtank_wire::inbound::{Inbound, InboundLimits};

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
    pub(super) peer: Peer,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

#[derive(Debug)]
pub(super) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    most: usize,
    limits: InboundLimits,
}

impl Connections {
    pub(super) fn new(most: usize, limits: InboundLimits) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), most, limits }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A new row, if there is one.
    pub(super) fn open(&mut self, now: MonoNanos) -> Option<ConnectionId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < self.most => {
                self.slots.push(Slot::default());
                u32::try_from(self.slots.len() - 1).ok()?
            }
            None => return None,
        };
        let row = &mut self.slots[slot as usize];
        let id = ConnectionId { slot, generation: row.generation };
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
        row.connection =
            Some(Box::new(Connection { inbound: Inbound::new(self.limits), pending_bytes: 0, peer }));
        Some(id)
    }

    /// The connection, unless it is gone.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let row = self.slots.get_mut(id.slot as usize)?;
        if row.generation == id.generation { row.connection.as_deref_mut() } else { None }
    }

    /// Frees the row.
    ///
    /// # Panics
    /// If the connection is gone already: its end was reported twice.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Connection {
        let row = &mut self.slots[id.slot as usize];
        assert_eq!(row.generation, id.generation, "a connection ended twice");
        let connection = row.connection.take().expect("a connection of this generation is there");
        row.generation = row.generation.wrapping_add(1);
        self.free.push(id.slot);
        *connection
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.slots.iter_mut().filter_map(|slot| slot.connection.as_deref_mut())
    }
}
