//! Pack: one immutable file that holds the records of many indexes, grouped by index. All numbers are little-endian.
//!
//! The records of one index in a pack are its slice. A slice is a label, then the records as in a segment of an index, one
//! after the other. Slices stand in the order of (hash of the code, code), so that a cell, which is a prefix of the hash, is
//! one stretch of every pack. After about 16 KiB of labels stands a directory block with the same entries again; at the end
//! stand the fences, which say where the directory blocks are and which index each begins with.
//!
//! ```text
//! pack = head · { slice … directory block } … · fences · foot
//!
//! head      0  8 magic "LTINPACK"           slice     0  1 'S'
//!           8  4 version = 1                          1  2 length of the entry, e
//!          12  4 block size = 65,536                  3  4 CRC32C of the label's own offset (8 bytes) and the entry
//!          16  8 first position                       7  e entry
//!          24  8 end: the position after              then    the data: records, Thrift binary, without index_code
//!                the last one
//!          32  4 generation                 Data longer than 65,536 bytes begins at a multiple of 4096 of the file, with
//!          36  1 1 recent, 2 base           zeros before, and is followed by its table, 16 bytes for each block of 65,536
//!          37  1 bits of the cell           (the last may be shorter):
//!          38  2 zero
//!          40  4 cell, in the high bits               0  4 CRC32C of the block
//!          44  4 zero                                 4  4 offset in the block at which a record first begins,
//!          48  8 created, ms since 1970 UTC                or 2^32-1 if none does
//!          56  8 zero                                 8  8 number of that record (or of the next to begin)
//!          64  4 CRC32C of 0..64
//!          68    zero, to 4096              entry     0  1+n code
//!                                                     then 1 flags: bits 0 and 1 the kind: 1 unsorted, 2 sorted, 3 base;
//! directory 0  1 'D'                                         4 own first, 8 own dropped; the others zero
//! block     1  3 zero                                 varint bytes of data
//!           4  4 length of all of it,                 varint records
//!                at most 16,384                       4 CRC32C of the data, or of its table if it has one
//!           8  8 offset of the first label            8 first position, if it has its own
//!                that it lists                        8 dropped, if it has its own
//!          16  4 entries, at least one
//!          20  4 CRC32C of its own offset   fences, for each directory block:
//!                (8 bytes), 0..20 and                 0  8 offset of the block
//!                24 to its end                        8  4 length of the block
//!          24    the entries, as in the labels       12  4 the longest slice that it lists, in KiB, rounded up
//!                                                    16  4 hash of the first code that it lists
//! foot      0  8 magic "LTPACKFT"                    20 1+n that code
//!           8  8 offset of the fences
//!          16  4 length of the fences       32  8 slices         48  8 bytes of data      60  4 CRC32C of 0..60
//!          20  4 CRC32C of 8..16, fences    40  8 records        56  4 CRC32C of the head, as at its 64
//!          24  4 directory blocks
//!          28  4 zero                       The foot is the last 64 bytes of the file.
//! ```
//!
//! A varint has seven bits a byte, the low ones first; the high bit says that another byte follows. It is as short as can be.
//!
//! A slice begins where its pack does unless it has its own first position, which is later. It ends where its pack does. A base slice
//! lacks deletions before its "dropped"; without its own, that is its end. The other kinds lack none.
//!
//! Every byte is under a checksum, or must be zero, and is verified before it is interpreted. Labels and directory blocks bind
//! their own offset, so that none is taken for another. Each entry is there twice, so that a directory block that is damaged can be made again from
//! the labels; the records of a slice count only after a label that names their index. Items stand one after the other without
//! a byte between: directory blocks and fences say where each must end, and that is compared.
//!
//! A later version of the format has another magic number in its foot too: a damaged head cannot hide it.

mod cell;
mod directory;
mod entry;
mod fence;
mod foot;
mod head;
mod label;
pub(crate) mod name;
mod place;
mod varint;

pub use cell::{Cell, CodeHash};
pub use directory::DIRECTORY_BYTES_MAX;
pub(crate) use directory::{Directory, DirectoryBuilder, ListPlace, Listed};
pub(crate) use entry::Entry;
pub use entry::SliceKind;
pub(crate) use fence::{Fences, FencesBuilder};
pub(crate) use foot::{FOOT_BYTES, Foot};
pub use head::HEAD_BYTES;
pub(crate) use head::Head;
pub(crate) use label::{LABEL_BYTES_MAX, Label};
pub use name::PackName;
pub(crate) use name::PackRange;
pub(crate) use place::Place;

/// Why bytes are not the part of a pack that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pack is damaged at byte {offset}: {what}")]
pub struct PackError {
    /// Offset in the file.
    pub offset: u64,
    /// What is wrong there.
    pub what: &'static str,
}

impl PackError {
    const fn at(offset: u64, what: &'static str) -> Self {
        Self { offset, what }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The checksum of what stands at `offset`: its parts, and where it stands.
fn bound_checksum(offset: u64, parts: &[&[u8]]) -> u32 {
    parts.iter().fold(crc32c::crc32c(&offset.to_le_bytes()), |sum, part| crc32c::crc32c_append(sum, part))
}

#[cfg(test)]
mod tests;
