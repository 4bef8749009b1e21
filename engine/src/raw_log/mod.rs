//! The raw log: what was received, in order.

pub mod config;
pub mod segment;
