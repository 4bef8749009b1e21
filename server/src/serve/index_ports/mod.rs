//! The reader's and the manager's ports: connections on a background ring, one task each.

mod calls;
mod connection;
mod conversation;
mod ending;
mod held;
mod places;
mod port;
mod reading_ahead;
mod remote;
mod seats;
mod sending;
mod stream;
mod thread;
mod turns;

pub(super) use connection::Bounds;
pub(super) use thread::{IndexThread, Listening};
