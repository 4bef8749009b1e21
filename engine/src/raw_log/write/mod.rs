//! Appends: [`writer`] puts records into frames and frames into segments.

pub(crate) mod config;
mod group_sync;
mod pool;
pub(crate) mod segment;
mod stage;
pub(crate) mod writer;
