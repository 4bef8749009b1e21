//! The raw log: what was received, in order.
//!
//! Reading: [`scan`] streams one segment's frames, [`live`] says what is in `raw/live/` at one moment, and
//! [`merged`] joins an epoch's segments into one order. Before anything is written, [`recovery`] puts in order
//! what the process before left; meanwhile [`prepare`] makes segments ready ahead of need, and [`archive`]
//! moves dealt ones away. [`verify`] checks every byte, [`repair`] salvages what is whole.

pub mod archive;
pub mod config;
pub mod dealt;
pub mod frame;
mod framed;
mod gaps;
mod group_sync;
mod legacy;
pub mod live;
pub mod lost;
pub mod merged;
pub mod missing;
mod naming;
mod pool;
pub mod prepare;
pub mod promoted;
pub mod recovery;
pub mod repair;
pub mod scan;
pub mod segment;
pub mod spare;
mod stage;
pub mod stray;
pub mod tails;
#[cfg(test)]
pub(crate) mod test_support;
pub mod verify;
mod window;
pub mod writer;
