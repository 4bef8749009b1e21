//! Appends: [`writer`] puts records into frames and frames into segments.

pub mod config;
mod group_sync;
mod pool;
pub mod segment;
mod stage;
pub mod writer;
