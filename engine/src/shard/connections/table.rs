//! The rows of connections.
//!
//! An idle connection costs its row and nothing else: buffers come when bytes do, and go again.

use logtank_wire::inbound::InboundLimits;
use slab::Slab;

use super::connection::Connection;
use crate::io::op::ConnectionId;
use crate::time::MonoNanos;

/// At most so many; a row that is used again has another generation.
#[derive(Debug)]
pub(super) struct Table {
    rows: Slab<Box<Connection>>,
    /// Connections ever opened; tells two uses of one row apart.
    opened: u32,
    most: usize,
    limits: InboundLimits,
}

impl Table {
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
        row.insert(Box::new(Connection::new(id, self.limits, now)));
        Some(id)
    }

    /// The connection, unless it is gone.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let connection = self.rows.get_mut(id.slot as usize)?;
        if connection.peer().id() == id { Some(connection) } else { None }
    }

    /// Frees the row.
    ///
    /// # Panics
    /// If the connection is gone already: its end was reported twice.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Connection {
        let connection = self.rows.try_remove(id.slot as usize).expect("a connection ended twice");
        assert_eq!(connection.peer().id(), id, "a connection ended twice");
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
    fn a_slot_used_again_is_another_connection() {
        let mut table = Table::new(1, InboundLimits { message_bytes_max: 4096, depth_max: 8 });
        let first = table.open(MonoNanos(1)).unwrap();
        assert_eq!(table.open(MonoNanos(1)), None);
        table.remove(first);
        let second = table.open(MonoNanos(2)).unwrap();
        assert_eq!(first.slot, second.slot);
        assert!(table.get_mut(first).is_none() && table.get_mut(second).is_some());
    }
}
