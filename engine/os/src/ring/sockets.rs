//! The connections of a shard. The rows are those of its table.

use logtank_engine::io::ConnectionId;

use super::secured::Secured;
use super::socket::Socket;

#[derive(Debug, Default)]
pub(super) struct Sockets {
    rows: Vec<Option<Socket>>,
}

impl Sockets {
    /// A new connection.
    ///
    /// # Panics
    /// If the row is taken.
    pub(super) fn open(&mut self, id: ConnectionId, secured: Option<Box<Secured>>) -> &mut Socket {
        let slot = id.slot as usize;
        if slot >= self.rows.len() {
            self.rows.resize_with(slot + 1, || None);
        }
        let row = &mut self.rows[slot];
        assert!(row.is_none(), "the row of a new connection is free");
        row.insert(Socket::new(id, secured))
    }

    /// # Panics
    /// If the connection is gone: an operation or completion for nothing.
    pub(super) fn get(&mut self, id: ConnectionId) -> &mut Socket {
        self.find(id).expect("a connection outlives its operations")
    }

    /// The connection, if it is still there.
    pub(super) fn find(&mut self, id: ConnectionId) -> Option<&mut Socket> {
        self.rows.get_mut(id.slot as usize)?.as_mut().filter(|socket| socket.id() == id)
    }

    /// The connection's encryption, if it is still there and encrypted.
    pub(super) fn secured(&mut self, id: ConnectionId) -> Option<&mut Secured> {
        self.find(id)?.secured()
    }

    /// The connection is gone.
    ///
    /// # Panics
    /// If something is under way on it.
    pub(super) fn close(&mut self, id: ConnectionId) {
        assert!(self.get(id).at_rest(), "nothing is under way on a connection that ends");
        self.rows[id.slot as usize] = None;
    }

    /// Whether the kernel may still use memory on behalf of a connection.
    pub(super) fn any_under_way(&self) -> bool {
        self.rows.iter().flatten().any(Socket::under_way)
    }
}
