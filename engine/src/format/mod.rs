//! Bytes and names on disk; each file's byte table stands in its module's documentation.

pub mod block_table;
pub mod checkpoint;
pub mod frame_indexes;
pub mod index;
pub mod layout;
pub mod names;
pub mod pack;
pub mod raw;
