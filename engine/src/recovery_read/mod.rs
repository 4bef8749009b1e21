//! Streaming the state of an index back to an engine that recovers.
//!
//! The reader keeps nothing between two pages that it would need: each page takes a fresh look at the disk
//! ([`look`]), finds out from the client's [`token`] and that look what comes next ([`route`]), and reads it
//! ([`reader`], [`live_page`]).

pub(crate) mod ahead;
mod buffers;
mod draft;
pub(crate) mod error;
mod live_page;
mod look;
mod open_segments;
pub(crate) mod options;
pub(crate) mod page;
pub(crate) mod reader;
pub(crate) mod route;
mod segment_page;
#[cfg(test)]
mod tests;
pub(crate) mod token;
pub(crate) mod token_key;

pub use ahead::Ahead;
pub use error::{ReadError, StartOver, TRY_AGAIN};
pub use options::ReadOptions;
pub use page::{Chunk, ChunkMemory};
pub use reader::Reader;
pub use token::{HINTS_MAX, Place, Progress, TokenKey};
pub use token_key::{KEY_BYTES, KeyFile, load_or_create};
