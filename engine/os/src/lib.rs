//! Everything that touches the kernel: rings, clocks, locks, durable file verbs. The only crate with unsafe code.

pub mod append_signal;
pub mod clock;
pub mod disk;
pub mod mailbox;
pub mod ring;
