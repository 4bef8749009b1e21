//! The storage engine of LogTank: what happens to a record between the socket and the drive.
//!
//! Nothing in this crate reads a clock, opens a file, starts a thread or contains unsafe code. Time is
//! an argument; the hot path ([`shard`]) emits operations and is handed completions; background work
//! ([`jobs`], [`recovery_read`], [`manager`]) is plain async code over the port [`io::Disk`].
//!
//! Each room's `mod.rs` lists what others outside this crate may use of it; its parts are the crate's own, so that the
//! compiler sees what nobody uses.
#![forbid(unsafe_code)]

pub mod connection_places;
pub mod deletion_log;
pub mod deletions;
pub mod error;
pub mod first_start;
pub mod foreign;
pub mod format;
#[cfg(test)]
mod golden;
pub mod handshakes;
pub mod holders;
pub mod host;
pub mod identity;
pub mod ids;
pub mod index_log;
pub mod io;
pub mod jobs;
pub mod left_out;
pub mod limits;
pub mod manager;
pub mod metrics;
pub mod mutant;
pub mod packs;
pub mod page_places;
pub mod raw_log;
pub mod recovery_read;
pub mod roles;
pub mod room;
pub mod sequencer;
pub mod shard;
pub mod store;
mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
