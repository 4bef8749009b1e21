use super::header::{EpochRange, HEADER_BYTES, SidecarError, SidecarHeader, u32_at, u64_at};
use crate::format::names::{SegmentKind, SegmentName};
use crate::limits::SIDECAR_BLOCK_BYTES;

pub(super) const BLOCK: u64 = SIDECAR_BLOCK_BYTES as u64;
pub(super) const ENTRY_BYTES: usize = 16;
const NO_RECORD: u32 = u32::MAX;

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
pub(super) struct Block {
    pub(super) checksum: u32,
    pub(super) begins: Option<u32>,
    pub(super) record: u64,
}

/// The sidecar of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    pub(super) header: SidecarHeader,
    pub(super) blocks: Vec<Block>,
    pub(super) docids: Vec<u8>,
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
            let below =
                if begins.is_some() { block.record < header.records } else { block.record <= header.records };
            let grows = below && block.record >= begins_before;
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

    /// Whether no block of `other` is one of this, in the same place: then they are not of the same bytes, damaged here
    /// and there.
    #[must_use]
    pub fn shares_nothing_with(&self, other: &Self) -> bool {
        self.blocks.iter().zip(&other.blocks).all(|(one, other)| one.checksum != other.checksum)
    }

    /// This sidecar, made from a segment's bytes, with the epochs that `before` names, if both are of segments with the
    /// same records in the same order and differ in nothing but the order in which maps were written.
    #[must_use]
    pub fn written_anew(&self, before: &Self) -> Option<Self> {
        let (now, then) = (&self.header, &before.header);
        let same = then.contents != 0 && now.contents == then.contents && now.records == then.records;
        same.then(|| {
            let header = SidecarHeader { epochs: then.epochs, inferred: then.inferred, ..*now };
            Self { header, ..self.clone() }
        })
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
