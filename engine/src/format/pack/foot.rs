use std::ops::Range;

use super::head::HEAD_BYTES;
use super::{PackError, u32_at, u64_at};

/// Length of the foot, which ends the file.
pub(crate) const FOOT_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"LTPACKFT";
const CHECKSUM: usize = 60;

/// What the foot says: where the fences are, and what the pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foot {
    pub(super) fences_offset: u64,
    pub(super) fences_bytes: u32,
    pub(super) fences_checksum: u32,
    pub(super) blocks: u32,
    pub(super) slices: u64,
    pub(super) records: u64,
    pub(super) data_bytes: u64,
    pub(super) head_checksum: u32,
}

impl Foot {
    /// The foot of a pack whose fences, with this checksum, stand at `fences`, with so many directory blocks, slices, records and
    /// bytes of records, and whose head has this checksum.
    ///
    /// # Panics
    /// If the fences are longer than 4 GiB.
    #[must_use]
    pub fn new(
        fences: &Range<u64>,
        fences_checksum: u32,
        blocks: u32,
        [slices, records, data_bytes]: [u64; 3],
        head_checksum: u32,
    ) -> Self {
        let fences_bytes = u32::try_from(fences.end - fences.start).expect("fences of at most 4 GiB");
        let fences_offset = fences.start;
        Self {
            fences_offset,
            fences_bytes,
            fences_checksum,
            blocks,
            slices,
            records,
            data_bytes,
            head_checksum,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; FOOT_BYTES] {
        let mut foot = [0; FOOT_BYTES];
        foot[0..8].copy_from_slice(MAGIC);
        foot[8..16].copy_from_slice(&self.fences_offset.to_le_bytes());
        foot[16..20].copy_from_slice(&self.fences_bytes.to_le_bytes());
        foot[20..24].copy_from_slice(&self.fences_checksum.to_le_bytes());
        foot[24..28].copy_from_slice(&self.blocks.to_le_bytes());
        foot[32..40].copy_from_slice(&self.slices.to_le_bytes());
        foot[40..48].copy_from_slice(&self.records.to_le_bytes());
        foot[48..56].copy_from_slice(&self.data_bytes.to_le_bytes());
        foot[56..60].copy_from_slice(&self.head_checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&foot[..CHECKSUM]);
        foot[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        foot
    }

    /// Reads the foot of a file of `file_bytes`: its last bytes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(foot: &[u8; FOOT_BYTES], file_bytes: u64) -> Result<Self, PackError> {
        let at = file_bytes.saturating_sub(FOOT_BYTES as u64);
        let fail = |what| Err(PackError::at(at, what));
        if &foot[..8] != MAGIC {
            return fail("the file does not end with a foot: it is cut off, or longer than it was");
        }
        if crc32c::crc32c(&foot[..CHECKSUM]) != u32_at(foot, CHECKSUM) {
            return fail("the checksum of the foot does not match");
        }
        if u32_at(foot, 28) != 0 {
            return fail("a byte of the foot that must be zero is not");
        }
        let decoded = Self {
            fences_offset: u64_at(foot, 8),
            fences_bytes: u32_at(foot, 16),
            fences_checksum: u32_at(foot, 20),
            blocks: u32_at(foot, 24),
            slices: u64_at(foot, 32),
            records: u64_at(foot, 40),
            data_bytes: u64_at(foot, 48),
            head_checksum: u32_at(foot, 56),
        };
        let end = decoded.fences_offset.checked_add(decoded.fences_bytes.into());
        if decoded.fences_offset < HEAD_BYTES as u64 || end != Some(at) {
            return fail("the fences do not end where the foot begins");
        }
        // Each block has a fence of at least 22 bytes, so no count can ask for more memory than the file is long.
        if u64::from(decoded.blocks) > u64::from(decoded.fences_bytes) {
            return fail("there are more directory blocks than fences");
        }
        Ok(decoded)
    }

    /// Where the fences stand.
    #[must_use]
    pub const fn fences(&self) -> Range<u64> {
        self.fences_offset..self.fences_offset + self.fences_bytes as u64
    }

    /// CRC32C of their offset and their bytes.
    #[must_use]
    pub const fn fences_checksum(&self) -> u32 {
        self.fences_checksum
    }

    /// Directory blocks.
    #[must_use]
    pub const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Slices: one for each index in the pack.
    #[must_use]
    pub const fn slices(&self) -> u64 {
        self.slices
    }

    /// Records of all slices.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Bytes of all records.
    #[must_use]
    pub const fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// The checksum of the head, which says that both are of one file.
    #[must_use]
    pub const fn head_checksum(&self) -> u32 {
        self.head_checksum
    }
}
