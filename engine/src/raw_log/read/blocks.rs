//! A segment's header and seal.

use crate::format::raw::{BlockError, FRAMES_OFFSET, HEADER_BYTES, Header, Seal};

/// What the first two blocks of a segment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::raw_log) struct Blocks {
    pub(in crate::raw_log) header: Result<Header, BlockError>,
    /// Of a valid header; `Err(Empty)` if not sealed.
    pub(in crate::raw_log) seal: Result<Seal, BlockError>,
    /// Whether each byte of the seal block is zero.
    pub(in crate::raw_log) seal_is_zero: bool,
}

impl Blocks {
    /// Reads them from the first bytes of a file; what is missing counts as zero.
    pub(in crate::raw_log) fn decode(bytes: &[u8]) -> Self {
        let mut blocks = [0; FRAMES_OFFSET as usize];
        let len = bytes.len().min(blocks.len());
        blocks[..len].copy_from_slice(&bytes[..len]);
        let (header, seal) = blocks.split_at(HEADER_BYTES);
        let header = Header::decode(header.try_into().expect("one block"));
        let seal_block = seal.try_into().expect("one block");
        Self {
            header,
            seal: header.and_then(|header| Seal::decode(seal_block, &header)),
            seal_is_zero: seal.iter().all(|&byte| byte == 0),
        }
    }
}
