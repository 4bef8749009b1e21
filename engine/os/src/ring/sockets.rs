//! What is under way on each connection. The rows are those of the shard's table.

use logtank_engine::io::op::ConnectionId;

use super::secured::Secured;

/// A send under way.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) bytes: Vec<u8>,
    /// How many the kernel has taken already.
    pub(super) sent: usize,
    /// What the shard asked to send and is owed back; on an encrypted connection not what is sent, and there are sends
    /// that it did not ask for.
    pub(super) plain: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(super) struct Row {
    generation: u32,
    open: bool,
    /// The multishot receive is under way.
    pub(super) armed: bool,
    /// It should be.
    pub(super) wanted: bool,
    pub(super) sending: Option<Sending>,
    /// Cancellations and shutdowns under way: they name the file by its slot, so it must stay.
    pub(super) controls: u32,
    pub(super) closing: bool,
    /// The connection is encrypted.
    pub(super) tls: Option<Box<Secured>>,
}

impl Row {
    /// Whether the next receive has to be begun.
    pub(super) fn needs_arming(&self) -> bool {
        self.wanted && !self.armed && !self.closing && self.tls.as_ref().is_none_or(|tls| tls.has_room())
    }

    /// Whether it can be freed.
    pub(super) const fn at_rest(&self) -> bool {
        self.closing && !self.armed && self.sending.is_none() && self.controls == 0
    }

    const fn under_way(&self) -> bool {
        self.armed || self.sending.is_some() || self.controls > 0
    }
}

#[derive(Debug, Default)]
pub(super) struct Sockets {
    rows: Vec<Row>,
}

impl Sockets {
    /// A new connection.
    ///
    /// # Panics
    /// If the row is taken.
    pub(super) fn open(&mut self, id: ConnectionId) {
        let slot = id.slot as usize;
        if slot >= self.rows.len() {
            self.rows.resize_with(slot + 1, Row::default);
        }
        assert!(!self.rows[slot].open, "the row of a new connection is free");
        self.rows[slot] = Row { generation: id.generation, open: true, ..Row::default() };
    }

    /// # Panics
    /// If the connection is gone: an operation or completion for nothing.
    pub(super) fn get(&mut self, id: ConnectionId) -> &mut Row {
        let row = &mut self.rows[id.slot as usize];
        assert!(row.open && row.generation == id.generation, "a connection outlives its operations");
        row
    }

    /// The connection's encryption, if it is still there and encrypted.
    pub(super) fn secured(&mut self, id: ConnectionId) -> Option<&mut Secured> {
        let row = self.rows.get_mut(id.slot as usize)?;
        if row.open && row.generation == id.generation { row.tls.as_deref_mut() } else { None }
    }

    /// Whether the connection is still there.
    pub(super) fn is_open(&self, id: ConnectionId) -> bool {
        self.rows.get(id.slot as usize).is_some_and(|row| row.open && row.generation == id.generation)
    }

    /// The connection is gone.
    pub(super) fn close(&mut self, id: ConnectionId) {
        let row = self.get(id);
        assert!(row.at_rest(), "nothing is under way on a connection that ends");
        row.open = false;
        row.tls = None;
    }

    /// Whether the kernel may still use memory on behalf of a connection.
    pub(super) fn any_under_way(&self) -> bool {
        self.rows.iter().any(Row::under_way)
    }
}
