//! Streaming the state of an index back to an engine that recovers.
//!
//! The reader keeps nothing between two pages: each page takes a fresh look at the disk ([`look`]), finds
//! out from the client's [`token`] and that look what comes next ([`route`]), and reads it ([`page`]).

pub mod error;
pub mod route;
pub mod token;
