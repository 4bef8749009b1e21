//! The blocks of a run of records: a checksum of each 64 KiB, and where in each a record first begins.
//!
//! So a byte is verified before it is interpreted, and reading can start, and a page can end, without parsing what lies
//! before. A sidecar and a long slice of a pack hold one, as rows of 16 bytes, little-endian:
//!
//! ```text
//!  0  4  CRC32C of the block (64 KiB; the last may be shorter)
//!  4  4  offset in the block at which a record first begins, or 2^32-1 if none does
//!  8  8  number of that record, from 0 (or of the next to begin, if none does)
//! ```

use std::ops::Range;

use crate::limits::SIDECAR_BLOCK_BYTES;

/// Bytes of a row, as encoded.
pub(crate) const ROW_BYTES: usize = 16;

const BLOCK: u64 = SIDECAR_BLOCK_BYTES as u64;
const NO_RECORD: u32 = u32::MAX;

/// A place in a run of records at which one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Byte offset in the run.
    pub offset: u64,
    /// Number of the record that begins there, from 0.
    pub record: u64,
}

impl Point {
    /// The beginning of a run.
    pub const START: Self = Self { offset: 0, record: 0 };
}

/// A stretch of a run of records from one record's beginning to another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins.
    pub begin: Point,
    /// Where it ends: where the next one begins, or the end of the run.
    pub end: Point,
}

impl Cut {
    /// Its bytes in the run.
    #[must_use]
    pub const fn bytes(&self) -> Range<u64> {
        self.begin.offset..self.end.offset
    }

    /// How many records it holds.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.end.record - self.begin.record
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    checksum: u32,
    begins: Option<u32>,
    record: u64,
}

/// The blocks of a run of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockTable {
    bytes: u64,
    records: u64,
    rows: Vec<Row>,
}

impl BlockTable {
    /// That of a run of `bytes` that is at most one block and has this checksum.
    ///
    /// # Panics
    /// If it is longer than a block.
    #[must_use]
    pub(crate) fn of_one_block(bytes: u64, records: u64, checksum: u32) -> Self {
        assert!(bytes <= BLOCK, "one block");
        let rows = if bytes == 0 { Vec::new() } else { vec![Row { checksum, begins: Some(0), record: 0 }] };
        Self { bytes, records, rows }
    }

    /// Adds the next record, whose bytes these are. Whether it is the first to begin in its block.
    ///
    /// # Panics
    /// If the record is empty: the shortest has one byte.
    pub(crate) fn push(&mut self, record: &[u8]) -> bool {
        assert!(!record.is_empty(), "a record has at least a stop byte");
        let within = u32::try_from(self.bytes % BLOCK).expect("less than a block");
        if within == 0 {
            self.rows.push(Row { checksum: 0, begins: None, record: self.records });
        }
        let row = self.rows.last_mut().expect("the record's first block has just been made sure of");
        let is_first = row.begins.is_none();
        if is_first {
            (row.begins, row.record) = (Some(within), self.records);
        }
        self.records += 1;
        let mut rest = record;
        loop {
            let room = SIDECAR_BLOCK_BYTES - (self.bytes % BLOCK) as usize;
            let (part, behind) = rest.split_at(rest.len().min(room));
            let row = self.rows.last_mut().expect("there is one for the bytes at hand");
            row.checksum = crc32c::crc32c_append(row.checksum, part);
            self.bytes += part.len() as u64;
            rest = behind;
            if rest.is_empty() {
                return is_first;
            }
            self.rows.push(Row { checksum: 0, begins: None, record: self.records });
        }
    }

    /// Bytes of all records.
    #[must_use]
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many records there are.
    #[must_use]
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// Length of the rows of a run of so many bytes; `None` if it can't be that long.
    #[must_use]
    pub(crate) const fn rows_bytes(bytes: u64) -> Option<u64> {
        bytes.div_ceil(BLOCK).checked_mul(ROW_BYTES as u64)
    }

    /// Appends its rows.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for row in &self.rows {
            out.extend_from_slice(&row.checksum.to_le_bytes());
            out.extend_from_slice(&row.begins.unwrap_or(NO_RECORD).to_le_bytes());
            out.extend_from_slice(&row.record.to_le_bytes());
        }
    }

    /// Reads the rows of a run of `bytes` with so many records.
    ///
    /// # Errors
    /// The number of the row that contradicts the others, from 0.
    ///
    /// # Panics
    /// If these are not as many bytes as [`Self::rows_bytes`] says.
    pub(crate) fn decode(encoded: &[u8], bytes: u64, records: u64) -> Result<Self, usize> {
        assert_eq!(Self::rows_bytes(bytes), Some(encoded.len() as u64), "a row for each block");
        let mut rows = Vec::with_capacity(encoded.len() / ROW_BYTES);
        let mut begins_before = 0;
        for (number, row) in encoded.chunks_exact(ROW_BYTES).enumerate() {
            let number_at = |at: usize| u32::from_le_bytes(row[at..at + 4].try_into().expect("four bytes"));
            let begins = Some(number_at(4)).filter(|&begins| begins != NO_RECORD);
            let record = u64::from_le_bytes(row[8..].try_into().expect("eight bytes"));
            let length = (bytes - number as u64 * BLOCK).min(BLOCK);
            let below = if begins.is_some() { record < records } else { record <= records };
            let grows = below && record >= begins_before;
            if !grows || begins.is_some_and(|begins| u64::from(begins) >= length) {
                return Err(number);
            }
            begins_before = record + u64::from(begins.is_some());
            rows.push(Row { checksum: number_at(0), begins, record });
        }
        Ok(Self { bytes, records, rows })
    }

    /// Whether `bytes` are the whole block number `block`, from 0.
    #[must_use]
    pub(crate) fn verify_block(&self, block: u64, bytes: &[u8]) -> bool {
        let row = usize::try_from(block).ok().and_then(|block| self.rows.get(block));
        let length = self.bytes.saturating_sub(block.saturating_mul(BLOCK)).min(BLOCK);
        row.is_some_and(|row| bytes.len() as u64 == length && crc32c::crc32c(bytes) == row.checksum)
    }

    /// Whether no block of `other` is one of this, in the same place.
    #[must_use]
    pub(crate) fn shares_nothing_with(&self, other: &Self) -> bool {
        self.rows.iter().zip(&other.rows).all(|(one, other)| one.checksum != other.checksum)
    }

    /// The first record of each block in which one begins, in order.
    pub(crate) fn points(&self) -> impl DoubleEndedIterator<Item = Point> + '_ {
        (0..self.rows.len()).filter_map(|number| self.point(number))
    }

    /// The point at byte `offset`, if it is one: a place known to be the beginning of a record. The end counts as one.
    #[must_use]
    pub(crate) fn point_at(&self, offset: u64) -> Option<Point> {
        if offset == self.bytes {
            return Some(self.end());
        }
        self.point(usize::try_from(offset / BLOCK).ok()?).filter(|point| point.offset == offset)
    }

    /// Where to end a stretch that begins at the point `from` and shall have at most `bytes_max` bytes: the
    /// last point (or the end) within that. If there is none, the next one: so the stretch holds at least
    /// one record if any is left, and is longer than asked for by at most one block and one record.
    #[must_use]
    pub(crate) fn cut_after(&self, from: Point, bytes_max: u64) -> Point {
        let limit = from.offset.saturating_add(bytes_max);
        if limit >= self.bytes {
            return self.end();
        }
        let block = |offset: u64| usize::try_from(offset / BLOCK).expect("within the blocks at hand");
        let (here, there) = (block(from.offset), block(limit));
        let point = |number| self.point(number);
        let within = (here + 1..=there).rev().filter_map(point).find(|point| point.offset <= limit);
        within.or_else(|| (here + 1..self.rows.len()).find_map(point)).unwrap_or(self.end())
    }

    const fn end(&self) -> Point {
        Point { offset: self.bytes, record: self.records }
    }

    fn point(&self, block: usize) -> Option<Point> {
        let row = self.rows.get(block)?;
        Some(Point { offset: block as u64 * BLOCK + u64::from(row.begins?), record: row.record })
    }
}
