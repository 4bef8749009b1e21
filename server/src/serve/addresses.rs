//! Where a host listens.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use serde::Serialize;

use super::listeners::Bound;

/// The address of each port that this host opens, with the port's number where any free one was asked for. As JSON, an
/// object with a member for each; `null` for one that is not opened.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Addresses {
    pub(super) writer: Option<SocketAddr>,
    pub(super) reader: Option<SocketAddr>,
    pub(super) manager: Option<SocketAddr>,
    pub(super) metrics: Option<SocketAddr>,
}

/// The address of a port that may be taken, in a log line.
pub(super) struct OrOff(pub(super) Option<SocketAddr>);

impl fmt::Display for OrOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("off"),
        }
    }
}

/// The address of a port that may be taken.
///
/// # Errors
/// The system's.
pub(super) fn of(bound: Option<&Bound>) -> io::Result<Option<SocketAddr>> {
    bound.map(Bound::address).transpose()
}
