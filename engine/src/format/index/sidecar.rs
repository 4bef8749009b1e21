use super::header::{EpochRange, HEADER_BYTES, SidecarError, SidecarHeader, u32_at};
use crate::format::block_table::{BlockTable, Point, ROW_BYTES};
use crate::format::names::{SegmentKind, SegmentName};

/// The sidecar of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    pub(super) header: SidecarHeader,
    pub(super) table: BlockTable,
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
        let mut out = Vec::new();
        out.extend_from_slice(&self.header.encode());
        self.table.encode(&mut out);
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
        let rows = &bytes[HEADER_BYTES..docids_at];
        let table = match BlockTable::decode(rows, header.bytes, header.records) {
            Ok(table) => table,
            Err(row) => {
                return fail(HEADER_BYTES + row * ROW_BYTES, "a block's entry contradicts the others");
            }
        };
        let docids = bytes[docids_at..checksum_at].to_vec();
        let sidecar = Self { header, table, docids };
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
        self.table.verify_block(block, bytes)
    }

    /// Whether no block of `other` is one of this, in the same place: then they are not of the same bytes, damaged here
    /// and there.
    #[must_use]
    pub fn shares_nothing_with(&self, other: &Self) -> bool {
        self.table.shares_nothing_with(&other.table)
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
        self.table.points()
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
        self.table.point_at(offset)
    }

    /// Where to end a stretch that begins at the point `from` and shall have at most `bytes_max` bytes: the
    /// last point (or the end) within that. If there is none, the next one: so the stretch holds at least
    /// one record if any is left, and is longer than asked for by at most one block and one record.
    #[must_use]
    pub fn cut_after(&self, from: Point, bytes_max: u64) -> Point {
        self.table.cut_after(from, bytes_max)
    }
}
