//! One connection: what its peer is in the middle of sending, and what it is owed.

use logtank_wire::inbound::{Inbound, InboundLimits};

use super::peer::Peer;
use crate::connection_places::Standing;
use crate::io::op::ConnectionId;
use crate::time::MonoNanos;

/// Both halves, and what they hold.
#[derive(Debug)]
pub(in crate::shard) struct Connection {
    inbound: Inbound,
    /// Bytes that the inbound half keeps, as last counted.
    pending_bytes: usize,
    /// Bytes that the driver keeps of it.
    outside_bytes: usize,
    peer: Peer,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, limits: InboundLimits, now: MonoNanos) -> Self {
        Self { inbound: Inbound::new(limits), pending_bytes: 0, outside_bytes: 0, peer: Peer::new(id, now) }
    }

    /// Both halves.
    pub(in crate::shard) const fn halves(&mut self) -> (&mut Inbound, &mut Peer) {
        (&mut self.inbound, &mut self.peer)
    }

    pub(super) const fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) const fn peer_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }

    /// Counts anew what the inbound half keeps, of whom no more is read nothing: before and now.
    pub(super) fn count_pending(&mut self) -> (usize, usize) {
        let now = if self.peer.is_open() { self.inbound.pending_bytes() } else { 0 };
        (std::mem::replace(&mut self.pending_bytes, now), now)
    }

    /// The driver keeps so many bytes of it; how many it kept before.
    pub(super) const fn keep_outside(&mut self, bytes: usize) -> usize {
        std::mem::replace(&mut self.outside_bytes, bytes)
    }

    /// Bytes that closing it gives back at once.
    pub(super) const fn held_bytes(&self) -> usize {
        self.pending_bytes + self.outside_bytes + self.peer.unsent_bytes()
    }

    /// How much it holds, times how long it has.
    pub(super) fn holding(&self, now: MonoNanos) -> u128 {
        // Of those that began in the same instant, the greatest.
        self.held_bytes() as u128 * (now.since(self.peer.holds_since()).as_nanos() + 1)
    }

    /// Whether it could give way to another one.
    pub(super) fn standing(&self) -> Standing {
        self.peer.standing(self.pending_bytes > 0)
    }

    /// Frees what it holds, and returns how many bytes that were.
    pub(super) fn let_go(&mut self) -> usize {
        let held = self.held_bytes();
        // Nothing more is received from it.
        self.inbound = Inbound::new(InboundLimits { message_bytes_max: 0, depth_max: 0 });
        self.pending_bytes = 0;
        self.outside_bytes = 0;
        self.peer.let_go();
        held
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
}
