//! The slice of an index in a pack, opened: no byte of it is interpreted before its block's checksum was verified.

use std::ops::{Deref, Range};
use std::rc::Rc;

use super::pack_file::{PackFile, Window};
use crate::error::{Corruption, Error, Result};
use crate::format::block_table::{BlockTable, Cut};
use crate::format::pack::{Entry, Label, Listed, PackName, Place, SliceKind};
use crate::ids::{IndexCode, Position};
use crate::io::buffers::AlignedBuf;
use crate::io::disk::Disk;
use crate::limits::SIDECAR_BLOCK_BYTES;

const BLOCK: u64 = SIDECAR_BLOCK_BYTES as u64;

/// The slice of an index in a pack, opened.
pub struct OpenSlice<D: Disk> {
    file: Rc<PackFile<D>>,
    code: IndexCode,
    info: SliceInfo,
    place: Place,
    table: BlockTable,
    // All of it, if it is at most one block.
    data: Option<Vec<u8>>,
    finding: Option<Corruption>,
}

/// What a pack says of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceInfo {
    /// What was done to it.
    pub kind: SliceKind,
    /// Its first position.
    pub first: Position,
    /// The position after its last one.
    pub end: Position,
    /// The position before which it may lack deletions; [`Position::ZERO`] if it lacks none.
    pub dropped: Position,
    /// Bytes of its records.
    pub bytes: u64,
    /// Its records.
    pub records: u64,
}

/// Bytes of a slice, verified.
#[derive(Debug)]
pub struct SliceBytes {
    buffer: AlignedBuf,
    range: Range<usize>,
}

impl SliceInfo {
    pub(super) fn of(entry: &Entry<'_>, pack: &PackName) -> Self {
        Self {
            kind: entry.kind,
            first: entry.first(pack),
            end: pack.range().end(),
            dropped: entry.dropped(pack),
            bytes: entry.bytes,
            records: entry.records,
        }
    }
}

impl SliceBytes {
    /// The memory, to be used again, and where in it the bytes stand.
    #[must_use]
    pub fn into_parts(self) -> (AlignedBuf, Range<usize>) {
        (self.buffer, self.range)
    }
}

impl Deref for SliceBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

impl<D: Disk> OpenSlice<D> {
    /// Opens what a directory block lists: only after a label that says the same.
    pub(super) async fn open(
        file: &Rc<PackFile<D>>,
        window: &mut Window,
        pack: &PackName,
        listed: &Listed<'_>,
    ) -> Result<Self> {
        let (entry, place) = (listed.entry, listed.place);
        let data = place.data();
        let known_end = if entry.has_table() { data.start } else { data.end };
        let bytes = window.get(file, place.begin()..known_end).await?;
        let label = Label::decode(bytes, place.begin()).map_err(|error| file.damaged(&error))?;
        if (label.entry, label.place) != (entry, place) {
            return Err(file.corrupt(place.begin(), "the slice's label is not what the directory says"));
        }
        let code = IndexCode::new(entry.code).expect("a decoded entry has a valid code");
        let (file, info) = (file.clone(), SliceInfo::of(&entry, pack));
        let after_label = &bytes[label.bytes()..];
        if !entry.has_table() {
            let table = BlockTable::of_one_block(entry.bytes, entry.records, entry.checksum);
            if crc32c::crc32c(after_label) != entry.checksum {
                return Err(file.corrupt(data.start, "the checksum of the slice's records does not match"));
            }
            let data = Some(after_label.to_vec());
            return Ok(Self { file, code, info, place, table, data, finding: None });
        }
        if after_label.iter().any(|&byte| byte != 0) {
            return Err(file.corrupt(place.begin(), "what follows the slice's label is not zero"));
        }
        let table = place.table();
        let rows = window.get(&file, table.clone()).await?;
        if crc32c::crc32c(rows) != entry.checksum {
            return Err(file.corrupt(table.start, "the checksum of the slice's table does not match"));
        }
        let table = BlockTable::decode(rows, entry.bytes, entry.records)
            .map_err(|_| file.corrupt(table.start, "the slice's table contradicts itself"))?;
        Ok(Self { file, code, info, place, table, data: None, finding: None })
    }

    pub(super) fn with_finding(self, finding: Option<Corruption>) -> Self {
        Self { finding, ..self }
    }

    /// The index.
    #[must_use]
    pub const fn code(&self) -> &IndexCode {
        &self.code
    }

    /// What the pack says of it.
    #[must_use]
    pub const fn info(&self) -> &SliceInfo {
        &self.info
    }

    /// What was found wrong on the way to it without being in the way: a directory block that was made again from the labels.
    #[must_use]
    pub const fn finding(&self) -> Option<&Corruption> {
        self.finding.as_ref()
    }

    /// Where in the file its records stand.
    #[must_use]
    pub const fn data(&self) -> Range<u64> {
        self.place.data()
    }

    /// The stretch that begins at byte `from` and has about `bytes_max` bytes at most, but at least one
    /// record if any is left (see [`BlockTable::cut_after`]). `None` if `from` is not where a stretch can
    /// begin: 0, the end of one that was cut before, or the end of the slice.
    #[must_use]
    pub fn cut(&self, from: u64, bytes_max: u64) -> Option<Cut> {
        let begin = self.table.point_at(from)?;
        Some(Cut { begin, end: self.table.cut_after(begin, bytes_max) })
    }

    /// Reads `bytes` of the slice, as [`Cut::bytes`] gives them, and verifies each block that they touch.
    ///
    /// # Errors
    /// The disk's, or corruption with the first block that fails.
    ///
    /// # Panics
    /// If the range lies beyond the slice or runs backwards.
    pub async fn read_raw(&self, bytes: Range<u64>) -> Result<SliceBytes> {
        self.read_raw_into(bytes, AlignedBuf::with_capacity).await
    }

    /// As [`Self::read_raw`], into the buffer that `buffer` gives for a capacity: of that, or a little more (all
    /// of it may be read into).
    ///
    /// # Errors
    /// As [`Self::read_raw`].
    ///
    /// # Panics
    /// As [`Self::read_raw`]; also if the buffer is too small.
    pub async fn read_raw_into(
        &self,
        bytes: Range<u64>,
        buffer: impl FnOnce(usize) -> AlignedBuf,
    ) -> Result<SliceBytes> {
        assert!(bytes.start <= bytes.end && bytes.end <= self.info.bytes, "a range of the slice");
        let in_memory = |offset: u64| usize::try_from(offset).expect("a page fits into memory");
        if let Some(data) = &self.data {
            let data = &data[in_memory(bytes.start)..in_memory(bytes.end)];
            let mut buffer = buffer(data.len());
            buffer.clear();
            buffer.extend(data);
            return Ok(SliceBytes { buffer, range: 0..data.len() });
        }
        let first = bytes.start / BLOCK * BLOCK;
        // Blocks are verified whole.
        let end = bytes.end.next_multiple_of(BLOCK).min(self.info.bytes).max(first);
        let buffer = buffer(in_memory(end - first));
        assert!(buffer.capacity() >= in_memory(end - first), "the buffer holds what is asked for");
        let at = self.place.data().start;
        let buffer = self.file.read(buffer, at + first, at + end).await?;
        let mut blocks = buffer[..in_memory(end - first)].chunks(SIDECAR_BLOCK_BYTES).zip(first / BLOCK..);
        if let Some((_, number)) = blocks.find(|(block, number)| !self.table.verify_block(*number, block)) {
            return Err(self.damaged_block(number).into());
        }
        Ok(SliceBytes { buffer, range: in_memory(bytes.start - first)..in_memory(bytes.end - first) })
    }

    /// Reads all of it, block by block, and adds those that are damaged to `findings`.
    ///
    /// # Errors
    /// The disk's.
    pub async fn verify_blocks(&self, findings: &mut Vec<Corruption>) -> Result<()> {
        for number in 0..self.info.bytes.div_ceil(BLOCK) {
            let block = number * BLOCK..((number + 1) * BLOCK).min(self.info.bytes);
            match self.read_raw(block).await {
                Ok(_) => {}
                Err(Error::Corrupt(corruption)) => findings.push(corruption),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// That byte `offset` of the slice is not what it should be.
    pub(super) fn damage(&self, offset: u64, what: &str) -> Corruption {
        let what = format!("index {}: {what}", self.code);
        self.file.damage(self.place.data().start + offset, &what)
    }

    fn damaged_block(&self, number: u64) -> Corruption {
        self.damage(number * BLOCK, "the block's checksum does not match")
    }
}
