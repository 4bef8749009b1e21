//! What an engine drives.

use std::io::Error;
use std::time::Duration;

use bytes::Bytes;

/// What the generator does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Wait for something to arrive, but not longer than this.
    Wait(Duration),
    /// Look whether something has arrived, and come back at once.
    Poll,
    /// Close all connections.
    End,
}

/// A load generator, driven by what arrives.
pub(super) trait Clients {
    /// Bytes arrived on a connection.
    fn received(&mut self, connection: usize, bytes: &[u8]);
    /// A connection is of no use any more; nothing comes from it again.
    fn closed(&mut self, connection: usize, why: Error);
    /// Appends what is to be sent now, at most one request a connection until something was received on it again.
    fn turn(&mut self, send: &mut Vec<(usize, Bytes)>) -> Turn;
}
