//! The shard ring: one thread, one io_uring for network, append and fdatasync.
//!
//! [`run_shard`] drives a [`logtank_engine::shard::Shard`]: completions, received buffers and mail in, operations out.
//! Memory that the kernel works on belongs to a table here (or to the pool of receive buffers) from the moment
//! an operation is queued until its completion was taken, so the interface is safe.

mod bare;
mod config;
mod core;
mod disk_ops;
mod driver;
mod files;
mod kernel;
mod mail;
mod network;
mod page_padding;
mod places;
mod receive_buffers;
mod registered_buffers;
mod secured;
mod socket;
mod sockets;
#[cfg(test)]
mod tests;
mod user_data;

pub use bare::{Arrived, BareRing, on_bare_ring};
pub use config::{RingConfig, RingReport, ShardExit, ShardLinks, WritePath};
pub use driver::run_shard;
