//! The raw log: what was received, in order.

pub mod config;
mod group_sync;
mod pool;
pub mod segment;
mod stage;
pub mod writer;
