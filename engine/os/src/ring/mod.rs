//! The shard ring: one thread, one io_uring for network, append and fdatasync.
//!
//! [`run_shard`] drives a [`logtank_engine::shard::Shard`]: completions, received buffers and mail in, operations out.
//! Memory that the kernel works on belongs to a table here (or to the pool of receive buffers) from the moment
//! an operation is queued until its completion was taken, so the interface is safe.

mod clients;
mod config;
mod disk_ops;
mod driver;
mod echo;
mod files;
mod kernel;
mod mail;
mod network;
mod page_padding;
mod receive_buffers;
mod registered_buffers;
mod secured;
mod sockets;
#[cfg(test)]
mod tests;
mod user_data;

#[doc(hidden)]
pub use clients::{Clients, Turn, run_clients};
pub use config::{RingConfig, RingReport, ShardExit, ShardLinks, WritePath};
pub use driver::run_shard;
#[doc(hidden)]
pub use echo::run_echo;
