//! Streaming the state of an index back to an engine that recovers.
//!
//! The reader keeps nothing between two pages that it would need: each page takes a fresh look at the disk
//! ([`look`]), finds out from the client's [`token`] and that look what comes next ([`route`]), and reads it
//! ([`reader`], [`live_page`]).

pub mod ahead;
mod buffers;
mod draft;
pub mod error;
mod live_page;
mod look;
mod open_segments;
pub mod options;
pub mod page;
pub mod reader;
pub mod route;
mod segment_page;
#[cfg(test)]
mod tests;
pub mod token;
pub mod token_key;
