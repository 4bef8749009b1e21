//! Everything that touches the kernel: rings, clocks, locks, durable file verbs. The only crate with unsafe code.

pub mod affinity;
pub mod append_signal;
pub mod clock;
pub mod disk;
pub mod far_end;
pub mod lock;
pub mod mailbox;
pub mod priority;
pub mod probe;
pub mod process;
pub mod random;
pub mod ring;
pub mod startup;
pub mod tls;
pub mod token_key;
