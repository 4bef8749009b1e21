use crate::format::names::SegmentKind;
use crate::ids::Epoch;

use crate::format::block_table::BlockTable;

/// The version of the format that this code writes.
pub(crate) const VERSION: u32 = 1;
/// Length of the header, which can be read and verified alone.
pub(crate) const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"LTSEGSUM";
const FLAG_INFERRED: u8 = 1;
const FLAG_TORN: u8 = 2;

/// A stretch of epochs, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRange {
    /// The first.
    pub first: Epoch,
    /// The last: not before the first.
    pub last: Epoch,
}

impl EpochRange {
    /// One epoch.
    #[must_use]
    pub const fn only(epoch: Epoch) -> Self {
        Self { first: epoch, last: epoch }
    }

    /// Whether `epoch` lies in it.
    #[must_use]
    pub fn contains(self, epoch: Epoch) -> bool {
        self.first <= epoch && epoch <= self.last
    }

    /// The shortest stretch that holds both.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// What a sidecar says of its segment as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SidecarHeader {
    /// What was done to the segment.
    pub kind: SegmentKind,
    /// Records in it.
    pub records: u64,
    /// Its length in bytes, without a torn tail.
    pub bytes: u64,
    /// The epochs that are merged in it.
    pub epochs: EpochRange,
    /// Whether the epochs are only what the name tells: the sidecar was made later, from the segment's bytes.
    /// What a sorted or optimized segment covers is then a matter of its neighbours.
    pub inferred: bool,
    /// Whether more bytes follow in the file that are not a whole record: a segment that the original left
    /// behind. Our own never has them.
    pub torn: bool,
    pub(super) docids_bytes: u64,
    pub(super) contents: u32,
}

/// Why bytes are not a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sidecar is damaged at byte {offset}: {what}")]
pub struct SidecarError {
    /// Offset in the sidecar.
    pub offset: u64,
    /// What is wrong there.
    pub what: &'static str,
}

impl SidecarHeader {
    /// Reads and verifies the header alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, SidecarError> {
        let fail = |offset, what| Err(SidecarError { offset, what });
        let Some(header) = bytes.get(..HEADER_BYTES) else {
            return fail(bytes.len() as u64, "it is too short");
        };
        if &header[..8] != MAGIC {
            return fail(0, "it has no magic number");
        }
        if crc32c::crc32c(&header[..60]) != u32_at(header, 60) {
            return fail(60, "the header's checksum does not match");
        }
        if u32_at(header, 8) != VERSION {
            return fail(8, "it has a version that this program can't read");
        }
        let kind = match header[12] {
            1 => SegmentKind::Unsorted,
            2 => SegmentKind::Sorted,
            3 => SegmentKind::Optimized,
            _ => return fail(12, "the kind is unknown"),
        };
        if header[13] & !(FLAG_INFERRED | FLAG_TORN) != 0 {
            return fail(13, "a flag is unknown");
        }
        let (Some(first), Some(last)) = (Epoch::new(u64_at(header, 32)), Epoch::new(u64_at(header, 40)))
        else {
            return fail(32, "an epoch is out of range");
        };
        if first > last {
            return fail(32, "the epochs run backwards");
        }
        Ok(Self {
            kind,
            records: u64_at(header, 16),
            bytes: u64_at(header, 24),
            epochs: EpochRange { first, last },
            inferred: header[13] & FLAG_INFERRED != 0,
            torn: header[13] & FLAG_TORN != 0,
            docids_bytes: u64_at(header, 48),
            contents: u32_at(header, 56),
        })
    }

    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12] = match self.kind {
            SegmentKind::Unsorted => 1,
            SegmentKind::Sorted => 2,
            SegmentKind::Optimized => 3,
        };
        header[13] = if self.inferred { FLAG_INFERRED } else { 0 } | if self.torn { FLAG_TORN } else { 0 };
        header[16..24].copy_from_slice(&self.records.to_le_bytes());
        header[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        header[32..40].copy_from_slice(&self.epochs.first.millis().to_le_bytes());
        header[40..48].copy_from_slice(&self.epochs.last.millis().to_le_bytes());
        header[48..56].copy_from_slice(&self.docids_bytes.to_le_bytes());
        header[56..60].copy_from_slice(&self.contents.to_le_bytes());
        let checksum = crc32c::crc32c(&header[..60]);
        header[60..64].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// Length of the whole sidecar that begins with this header; `None` if it can't be that long.
    #[must_use]
    pub fn sidecar_bytes(&self) -> Option<u64> {
        let entries = BlockTable::rows_bytes(self.bytes)?;
        entries.checked_add(self.docids_bytes)?.checked_add(HEADER_BYTES as u64 + 4)
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
