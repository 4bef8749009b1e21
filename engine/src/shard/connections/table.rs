//! The rows of connections.
//!
//! An idle connection costs its row and nothing else: buffers come when bytes do, and go again.

use std::net::IpAddr;

use logtank_wire::inbound::InboundLimits;
use slab::Slab;

use super::connection::Connection;
use crate::connection_places::{ConnectionPlaces, Standing};
use crate::io::op::ConnectionId;
use crate::time::MonoNanos;

/// Connections that may be there beside those that have a place: who gives way takes a moment to go.
pub(in crate::shard) const LEAVING_MAX: usize = 64;

/// A connection that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) id: ConnectionId,
    /// To be closed for it.
    pub(super) gives_way: Option<ConnectionId>,
}

/// At most so many; a row that is used again has another generation.
#[derive(Debug)]
pub(super) struct Table {
    rows: Slab<Box<Connection>>,
    /// Connections ever opened; tells two uses of one row apart.
    opened: u32,
    /// Those that may stay.
    places: ConnectionPlaces<IpAddr>,
    most: usize,
    limits: InboundLimits,
}

impl Table {
    pub(super) const fn new(most: usize, limits: InboundLimits) -> Self {
        Self { rows: Slab::new(), opened: 0, places: ConnectionPlaces::new(most), most, limits }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A new row for a connection from this address, if there is one. `all_seen`: all that was received has been looked
    /// at, so that it is known who rests.
    pub(super) fn open(&mut self, address: IpAddr, all_seen: bool, now: MonoNanos) -> Option<Opened> {
        let full = self.places.len() >= self.most;
        if self.rows.len() >= self.most.saturating_add(LEAVING_MAX) || (full && !all_seen) {
            return None;
        }
        let rows = &self.rows;
        let standing = |number| {
            let id = of_number(number);
            let connection = rows.get(id.slot as usize).filter(|connection| connection.peer().id() == id);
            connection.map_or(Standing::Busy, |connection| connection.standing())
        };
        let gives_way = self.places.make_room(&address, now, standing).ok()?.map(of_number);
        let id = self.insert(now)?;
        self.places.come(number(id), address, now);
        Some(Opened { id, gives_way })
    }

    fn insert(&mut self, now: MonoNanos) -> Option<ConnectionId> {
        let row = self.rows.vacant_entry();
        self.opened = self.opened.wrapping_add(1);
        let id = ConnectionId { slot: u32::try_from(row.key()).ok()?, generation: self.opened };
        row.insert(Box::new(Connection::new(id, self.limits, now)));
        Some(id)
    }

    /// The connection, unless it is gone.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let connection = self.rows.get_mut(id.slot as usize)?;
        if connection.peer().id() == id { Some(connection) } else { None }
    }

    /// A whole message has come from it, for the first time.
    pub(super) fn asked(&mut self, id: ConnectionId) {
        self.places.asked(number(id));
    }

    /// Frees the row.
    ///
    /// # Panics
    /// If the connection is gone already: its end was reported twice.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Connection {
        let connection = self.rows.try_remove(id.slot as usize).expect("a connection ended twice");
        assert_eq!(connection.peer().id(), id, "a connection ended twice");
        self.places.gone(number(id));
        *connection
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.rows.iter_mut().map(|(_, connection)| &mut **connection)
    }
}

fn number(id: ConnectionId) -> u64 {
    u64::from(id.generation) << 32 | u64::from(id.slot)
}

fn of_number(number: u64) -> ConnectionId {
    let [slot, generation] = [number, number >> 32].map(|part| (part & u64::from(u32::MAX)) as u32);
    ConnectionId { slot, generation }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_slot_used_again_is_another_connection() {
        let mut table = Table::new(1, InboundLimits { message_bytes_max: 4096, depth_max: 8 });
        let first = table.open(ADDRESS, true, MonoNanos(1)).unwrap().id;
        assert_eq!(of_number(number(first)), first);
        assert_eq!(table.open(ADDRESS, false, MonoNanos(1)), None, "it may have said something");
        table.remove(first);
        let second = table.open(ADDRESS, true, MonoNanos(2)).unwrap().id;
        assert_eq!(first.slot, second.slot);
        assert!(table.get_mut(first).is_none() && table.get_mut(second).is_some());
    }
}
