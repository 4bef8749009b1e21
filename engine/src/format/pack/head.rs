use super::cell::Cell;
use super::name::{PackKind, PackName, PackRange};
use super::{PackError, u32_at, u64_at};
use crate::ids::Position;
use crate::limits::{DIRECT_BLOCK_BYTES, SIDECAR_BLOCK_BYTES};
use crate::time::WallMillis;

/// The version of the format that this code writes and reads.
pub(crate) const VERSION: u32 = 1;
/// Length of the head; the first slice begins after it.
pub const HEAD_BYTES: usize = DIRECT_BLOCK_BYTES;

const MAGIC: &[u8; 8] = b"LTINPACK";
const CHECKSUM: usize = 64;
const PADDING: u64 = CHECKSUM as u64 + 4;
const BLOCK_BYTES: u32 = SIDECAR_BLOCK_BYTES as u32;

/// What the head says: what the name does, and when the pack was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The name that the pack was given.
    pub name: PackName,
    /// When it was made.
    pub created: WallMillis,
}

impl Head {
    /// Its bytes.
    #[must_use]
    pub(crate) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        let (range, cell) = (self.name.range(), self.name.cell());
        head[0..8].copy_from_slice(MAGIC);
        head[8..12].copy_from_slice(&VERSION.to_le_bytes());
        head[12..16].copy_from_slice(&BLOCK_BYTES.to_le_bytes());
        head[16..24].copy_from_slice(&range.first().packed().to_le_bytes());
        head[24..32].copy_from_slice(&range.end().packed().to_le_bytes());
        head[32..36].copy_from_slice(&self.name.generation().to_le_bytes());
        head[36] = match self.name.kind() {
            PackKind::Recent => 1,
            PackKind::Base => 2,
        };
        head[37] = cell.bits();
        head[40..44].copy_from_slice(&cell.prefix().to_le_bytes());
        head[48..56].copy_from_slice(&self.created.0.to_le_bytes());
        let checksum = crc32c::crc32c(&head[..CHECKSUM]);
        head[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
        head
    }

    /// The checksum that it carries.
    #[must_use]
    pub(crate) fn checksum(head: &[u8; HEAD_BYTES]) -> u32 {
        u32_at(head, CHECKSUM)
    }

    /// Reads a head.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(head: &[u8; HEAD_BYTES]) -> Result<Self, PackError> {
        let fail = |at, what| PackError::at(at, what);
        if &head[..8] != MAGIC {
            return Err(fail(0, "the file does not begin as a pack does"));
        }
        if crc32c::crc32c(&head[..CHECKSUM]) != u32_at(head, CHECKSUM) {
            return Err(fail(0, "the checksum of the head does not match"));
        }
        if u32_at(head, 8) != VERSION {
            return Err(fail(8, "it has a version that this program can't read: version 1 is read"));
        }
        if u32_at(head, 12) != BLOCK_BYTES {
            return Err(fail(12, "the block size is not 65,536"));
        }
        let zero = [&head[38..40], &head[44..48], &head[56..64]];
        if zero.iter().any(|bytes| bytes.iter().any(|&byte| byte != 0)) {
            return Err(fail(38, "a byte of the head that must be zero is not"));
        }
        if head[PADDING as usize..].iter().any(|&byte| byte != 0) {
            return Err(fail(PADDING, "what follows the head is not zero"));
        }
        let [first, end] = [16, 24].map(|at| Position::from_packed(u64_at(head, at)));
        let range = PackRange::new(first, end).ok_or(fail(16, "the range is empty or runs backwards"))?;
        let cell = Cell::new(u32_at(head, 40), head[37]).ok_or(fail(37, "the cell is none"))?;
        let name = match head[36] {
            1 if cell == Cell::ALL => PackName::recent(range, u32_at(head, 32)),
            1 => return Err(fail(36, "a recent pack does not hold all cells")),
            2 => PackName::base(range, u32_at(head, 32), cell),
            _ => return Err(fail(36, "the kind is unknown")),
        };
        Ok(Self { name, created: WallMillis(u64_at(head, 48)) })
    }

    /// Whether this error of [`Self::decode`] is of bytes that changed since they were written: the head says nothing then.
    /// Otherwise it was written so, by a program that this one does not understand.
    #[must_use]
    pub(crate) const fn is_damage(error: &PackError) -> bool {
        error.offset == 0 || error.offset == PADDING
    }
}
