//! Everything that touches the kernel: rings, clocks, locks, durable file verbs. The only crate with unsafe code.

pub mod mailbox;
pub mod ring;
