//! Sidecar of an index's segment: what the original's format lacks. All numbers are little-endian.
//!
//! A segment is a plain concatenation of records, as the original reads and writes it. Its sidecar
//! `SEGMENT.sum` holds its exact length and record count, which epochs are merged in it, a checksum of each
//! block of 64 KiB, and where in each block the first record begins: so a byte is verified before it is
//! interpreted, and reading can start, and a page can end, without parsing what lies before.
//!
//! ```text
//! offset  size
//!  0       8   magic "LTSEGSUM"
//!  8       4   version = 1
//! 12       1   kind: 1 unsorted, 2 sorted, 3 optimized
//! 13       1   flags: 1 = the epochs are inferred from the name, 2 = a torn tail follows the segment's bytes
//! 14       2   zero
//! 16       8   records
//! 24       8   length of the segment in bytes, without a torn tail
//! 32       8   first epoch merged in it
//! 40       8   last epoch merged in it
//! 48       8   length of the docids, d
//! 56       4   of an optimized segment: a checksum of what its records say, whatever the order of the entries of their
//!              maps (contents.rs); 0 if it is not known
//! 60       4   CRC32C of bytes 0..60
//! 64      16n  one entry for each of the segment's n blocks of 64 KiB (the last may be shorter):
//!                 0  4  CRC32C of the block
//!                 4  4  offset in the block at which a record first begins, or 2^32-1 if none does
//!                 8  8  number of that record, from 0 (or of the next to begin, if none does)
//! 64+16n   d   docids: for each block in which a record begins: 2 length, then that many bytes: the first
//!              record's docid, cut at 128 bytes before a character that would not fit whole
//! then     4   CRC32C of bytes 64 to here
//! ```

mod builder;
mod contents;
mod header;
mod sidecar;

pub(crate) use builder::SidecarBuilder;
pub(crate) use header::{EpochRange, HEADER_BYTES, SidecarError, SidecarHeader};
pub use sidecar::Sidecar;

pub use super::block_table::Point;

#[cfg(test)]
mod tests;
