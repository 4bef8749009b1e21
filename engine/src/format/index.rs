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
//! 56       4   zero
//! 60       4   CRC32C of bytes 0..60
//! 64      16n  one entry for each of the segment's n blocks of 64 KiB (the last may be shorter):
//!                 0  4  CRC32C of the block
//!                 4  4  offset in the block at which a record first begins, or 2^32-1 if none does
//!                 8  8  number of that record, from 0 (or of the next to begin, if none does)
//! 64+16n   d   docids: for each block in which a record begins: 2 length, then that many bytes: the first
//!              record's docid, cut at 128 bytes before a character that would not fit whole
//! then     4   CRC32C of bytes 64 to here
//! ```

use crate::ids::Epoch;
use crate::limits::SIDECAR_BLOCK_BYTES;

use super::names::{SegmentKind, SegmentName};

/// The version of the format that this code writes.
pub const VERSION: u32 = 1;
/// Length of the header, which can be read and verified alone.
pub const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"LTSEGSUM";
const ENTRY_BYTES: usize = 16;
const DOCID_BYTES_MAX: usize = 128;
const BLOCK: u64 = SIDECAR_BLOCK_BYTES as u64;
const NO_RECORD: u32 = u32::MAX;
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
    docids_bytes: u64,
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

/// A place in a segment at which a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Byte offset in the segment.
    pub offset: u64,
    /// Number of the record that begins there, from 0.
    pub record: u64,
}

impl Point {
    /// The beginning of a segment.
    pub const START: Self = Self { offset: 0, record: 0 };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    checksum: u32,
    begins: Option<u32>,
    record: u64,
}

/// The sidecar of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    header: SidecarHeader,
    blocks: Vec<Block>,
    docids: Vec<u8>,
}

/// Builds a sidecar from a segment's records as they are written.
#[derive(Debug, Default)]
pub struct SidecarBuilder {
    records: u64,
    bytes: u64,
    blocks: Vec<Block>,
    docids: Vec<u8>,
}

impl SidecarBuilder {
    /// The sidecar of an empty segment.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next record: its bytes as they stand in the segment, and its docid.
    ///
    /// # Panics
    /// If the record is empty: the shortest has one byte.
    pub fn push(&mut self, record: &[u8], docid: &[u8]) {
        assert!(!record.is_empty(), "a record has at least a stop byte");
        let within = u32::try_from(self.bytes % BLOCK).expect("less than a block");
        if within == 0 {
            self.blocks.push(Block { checksum: 0, begins: None, record: self.records });
        }
        let block = self.blocks.last_mut().expect("the record's first block has just been made sure of");
        if block.begins.is_none() {
            block.begins = Some(within);
            block.record = self.records;
            let docid = cut_docid(docid);
            let length = u16::try_from(docid.len()).expect("cut to 128 bytes");
            self.docids.extend_from_slice(&length.to_le_bytes());
            self.docids.extend_from_slice(docid);
        }
        self.records += 1;
        let mut rest = record;
        loop {
            let room = SIDECAR_BLOCK_BYTES - (self.bytes % BLOCK) as usize;
            let (part, behind) = rest.split_at(rest.len().min(room));
            let block = self.blocks.last_mut().expect("there is one for the bytes at hand");
            block.checksum = crc32c::crc32c_append(block.checksum, part);
            self.bytes += part.len() as u64;
            rest = behind;
            if rest.is_empty() {
                return;
            }
            self.blocks.push(Block { checksum: 0, begins: None, record: self.records });
        }
    }

    /// Records so far.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Bytes so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The sidecar of a segment of this host that is complete now and has `epochs` merged in it.
    #[must_use]
    pub fn finish(self, kind: SegmentKind, epochs: EpochRange) -> Sidecar {
        self.into_sidecar(kind, epochs, false, false)
    }

    /// The sidecar of a segment that was found without one; of the epochs, its name tells only `time`.
    #[must_use]
    pub fn finish_found(self, kind: SegmentKind, time: Epoch, torn: bool) -> Sidecar {
        self.into_sidecar(kind, EpochRange::only(time), true, torn)
    }

    fn into_sidecar(self, kind: SegmentKind, epochs: EpochRange, inferred: bool, torn: bool) -> Sidecar {
        assert!(epochs.first <= epochs.last, "a stretch of epochs does not run backwards");
        let docids_bytes = self.docids.len() as u64;
        let header = SidecarHeader {
            kind,
            records: self.records,
            bytes: self.bytes,
            epochs,
            inferred,
            torn,
            docids_bytes,
        };
        Sidecar { header, blocks: self.blocks, docids: self.docids }
    }
}

// The longest beginning of `docid` that fits and does not end within a character, so that it still orders
// as the docid does: never after it.
fn cut_docid(docid: &[u8]) -> &[u8] {
    if docid.len() <= DOCID_BYTES_MAX {
        return docid;
    }
    let mut end = DOCID_BYTES_MAX;
    while end > 0 && docid[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    &docid[..end]
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
        })
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
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
        let checksum = crc32c::crc32c(&header[..60]);
        header[60..64].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// Length of the whole sidecar that begins with this header; `None` if it can't be that long.
    #[must_use]
    pub fn sidecar_bytes(&self) -> Option<u64> {
        let entries = self.bytes.div_ceil(BLOCK).checked_mul(ENTRY_BYTES as u64)?;
        entries.checked_add(self.docids_bytes)?.checked_add(HEADER_BYTES as u64 + 4)
    }
}

impl Sidecar {
    /// What it says of the segment as a whole.
    #[must_use]
    pub const fn header(&self) -> &SidecarHeader {
        &self.header
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(HEADER_BYTES + ENTRY_BYTES * self.blocks.len() + self.docids.len() + 4);
        out.extend_from_slice(&self.header.encode());
        for block in &self.blocks {
            out.extend_from_slice(&block.checksum.to_le_bytes());
            out.extend_from_slice(&block.begins.unwrap_or(NO_RECORD).to_le_bytes());
            out.extend_from_slice(&block.record.to_le_bytes());
        }
        out.extend_from_slice(&self.docids);
        let checksum = crc32c::crc32c(&out[HEADER_BYTES..]);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads and verifies a whole sidecar.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, SidecarError> {
        let fail = |offset: usize, what| Err(SidecarError { offset: offset as u64, what });
        let header = SidecarHeader::decode(bytes)?;
        if header.sidecar_bytes() != Some(bytes.len() as u64) {
            return fail(bytes.len(), "its length is not what the header says");
        }
        let checksum_at = bytes.len() - 4;
        if crc32c::crc32c(&bytes[HEADER_BYTES..checksum_at]) != u32_at(bytes, checksum_at) {
            return fail(checksum_at, "its checksum does not match");
        }
        let docids_at =
            checksum_at - usize::try_from(header.docids_bytes).expect("it is within the bytes at hand");
        let mut blocks = Vec::with_capacity((docids_at - HEADER_BYTES) / ENTRY_BYTES);
        let mut begins_before = 0;
        for (number, entry) in bytes[HEADER_BYTES..docids_at].chunks_exact(ENTRY_BYTES).enumerate() {
            let begins = match u32_at(entry, 4) {
                NO_RECORD => None,
                begins => Some(begins),
            };
            let block = Block { checksum: u32_at(entry, 0), begins, record: u64_at(entry, 8) };
            let length = (header.bytes - number as u64 * BLOCK).min(BLOCK);
            let grows = block.record >= begins_before && block.record <= header.records;
            if !grows || begins.is_some_and(|begins| u64::from(begins) >= length) {
                return fail(HEADER_BYTES + number * ENTRY_BYTES, "a block's entry contradicts the others");
            }
            begins_before = block.record + u64::from(begins.is_some());
            blocks.push(block);
        }
        let docids = bytes[docids_at..checksum_at].to_vec();
        let sidecar = Self { header, blocks, docids };
        if sidecar.points().count() != sidecar.docids().count() {
            return fail(docids_at, "the docids are not one for each block in which a record begins");
        }
        Ok(sidecar)
    }

    /// This sidecar, if it can be that of the segment of this name.
    ///
    /// # Errors
    /// If it belongs to another.
    pub fn checked_for(self, name: SegmentName) -> Result<Self, SidecarError> {
        let header = &self.header;
        let count = if header.torn { header.records <= name.records } else { header.records == name.records };
        let time = match name.kind {
            SegmentKind::Unsorted => header.epochs == EpochRange::only(name.time),
            SegmentKind::Sorted => header.epochs.first == name.time,
            SegmentKind::Optimized => header.epochs.contains(name.time),
        };
        if header.kind == name.kind && count && time {
            return Ok(self);
        }
        Err(SidecarError { offset: 12, what: "it belongs to another segment than the one of its name" })
    }

    /// Whether `bytes` are the whole block number `block` of the segment (from 0; 64 KiB each, the last as
    /// long as is left).
    #[must_use]
    pub fn verify_block(&self, block: u64, bytes: &[u8]) -> bool {
        let entry = usize::try_from(block).ok().and_then(|block| self.blocks.get(block));
        let length = self.header.bytes.saturating_sub(block.saturating_mul(BLOCK)).min(BLOCK);
        entry.is_some_and(|entry| bytes.len() as u64 == length && crc32c::crc32c(bytes) == entry.checksum)
    }

    /// The first record of each block in which one begins, in order.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = Point> + '_ {
        self.blocks.iter().enumerate().filter_map(|(number, block)| {
            let begins = u64::from(block.begins?);
            Some(Point { offset: number as u64 * BLOCK + begins, record: block.record })
        })
    }

    /// For each of [`Self::points`], its record's docid, of which a long one is cut to at most 128 bytes.
    pub fn docids(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.docids.as_slice();
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (docid, behind) = behind.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = behind;
            Some(docid)
        })
    }

    /// The point at byte `offset`, if it is one: a place known to be the beginning of a record. The end of
    /// the segment counts as one.
    #[must_use]
    pub fn point_at(&self, offset: u64) -> Option<Point> {
        if offset == self.header.bytes {
            return Some(Point { offset, record: self.header.records });
        }
        let block = self.blocks.get(usize::try_from(offset / BLOCK).ok()?)?;
        (block.begins.map(u64::from) == Some(offset % BLOCK))
            .then_some(Point { offset, record: block.record })
    }

    /// Where to end a stretch that begins at the point `from` and shall have at most `bytes_max` bytes: the
    /// last point (or the end) within that. If there is none, the next one: so the stretch holds at least
    /// one record if any is left, and is longer than asked for by at most one block and one record.
    #[must_use]
    pub fn cut_after(&self, from: Point, bytes_max: u64) -> Point {
        let end = Point { offset: self.header.bytes, record: self.header.records };
        let limit = from.offset.saturating_add(bytes_max);
        if limit >= end.offset {
            return end;
        }
        let block = |offset: u64| usize::try_from(offset / BLOCK).expect("within the blocks at hand");
        let point = |number: usize| {
            let begins = u64::from(self.blocks.get(number)?.begins?);
            Some(Point { offset: number as u64 * BLOCK + begins, record: self.blocks[number].record })
        };
        let (here, there) = (block(from.offset), block(limit));
        let within = (here + 1..=there).rev().filter_map(point).find(|point| point.offset <= limit);
        within.or_else(|| (here + 1..self.blocks.len()).find_map(point)).unwrap_or(end)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
