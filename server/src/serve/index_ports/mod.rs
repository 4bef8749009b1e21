//! The reader's and the manager's ports: connections on a background ring, one task each.

mod calls;
mod connection;
mod port;
mod reading_ahead;
mod sending;
mod stream;
mod thread;

pub(super) use connection::Bounds;
pub(super) use thread::IndexThread;
