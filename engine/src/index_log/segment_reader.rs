//! Reading a segment of an index: no byte is interpreted before its block's checksum was verified.

use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use logtank_wire::record::{DecodeError, RecordView};

use super::sidecar_file::{self, SidecarOrigin};
use crate::error::{Corruption, Error, Result};
pub(crate) use crate::format::block_table::Cut;
use crate::format::index::{Point, Sidecar};
use crate::format::names::SegmentName;
use crate::ids::IndexCode;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::limits::SIDECAR_BLOCK_BYTES;
use crate::store::Store;

/// A segment, opened, with its sidecar.
pub struct OpenSegment<D: Disk> {
    file: D::File,
    path: PathBuf,
    sidecar: Sidecar,
    origin: SidecarOrigin,
}

/// Bytes of whole records as they stand in a segment, verified.
#[derive(Debug)]
pub struct RawRecords {
    buffer: AlignedBuf,
    range: Range<usize>,
}

/// The records of a segment, one after the other.
pub struct RecordStream<D: Disk> {
    segment: OpenSegment<D>,
    chunk: Option<AlignedBuf>,
    // Verified bytes; the next chunk is read from byte `next` of the segment, and its first `skip` bytes
    // belong to the record before the point that was asked for.
    buffer: Vec<u8>,
    next: u64,
    skip: usize,
    // The current record and its docid, in the buffer.
    record: Range<usize>,
    docid: Range<usize>,
}

const BLOCK: u64 = SIDECAR_BLOCK_BYTES as u64;

impl RawRecords {
    /// The memory, to be used again, and where in it the records stand.
    #[must_use]
    pub fn into_parts(self) -> (AlignedBuf, Range<usize>) {
        (self.buffer, self.range)
    }
}

impl Deref for RawRecords {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

impl<D: Disk> OpenSegment<D> {
    /// Opens a segment and reads its sidecar, or makes one in memory if it has none (which reads the whole
    /// segment; [`sidecar_file::rebuild_sidecar`] spares the next one that).
    ///
    /// # Errors
    /// The disk's ("not found" if it was merged or deleted: look again), or corruption.
    pub async fn open(store: &Store<D>, code: &IndexCode, name: SegmentName) -> Result<Self> {
        let path = store.layout().segment(code, name);
        let (sidecar, origin) = sidecar_file::load(store.disk(), &path, name).await?;
        Self::open_with(store.disk(), &path, sidecar, origin).await
    }

    pub(super) async fn open_with(
        disk: &D,
        path: &Path,
        sidecar: Sidecar,
        origin: SidecarOrigin,
    ) -> Result<Self> {
        let file = disk.open(path, Transfer::Direct).await?;
        Ok(Self { file, path: path.to_owned(), sidecar, origin })
    }

    /// Its sidecar.
    #[must_use]
    pub const fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    /// Where the sidecar came from; a damaged one is to be reported.
    #[must_use]
    pub const fn origin(&self) -> &SidecarOrigin {
        &self.origin
    }

    /// What was found wrong with it so far without being in the way: a sidecar that had to be made anew
    /// because it was damaged, or a torn tail.
    #[must_use]
    pub fn finding(&self, name: SegmentName) -> Option<Corruption> {
        let header = self.sidecar.header();
        if let SidecarOrigin::Damaged(corruption) = &self.origin {
            return Some(corruption.clone());
        }
        header.torn.then(|| {
            let what = format!(
                "only {} of its {} records are there, then a torn tail",
                header.records, name.records
            );
            Corruption { path: self.path.clone(), offset: header.bytes, what }
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stretch that begins at byte `from` and has about `bytes_max` bytes at most, but at least one
    /// record if any is left (see [`Sidecar::cut_after`]). `None` if `from` is not where a stretch can
    /// begin: 0, the end of one that was cut before, or the end of the segment.
    #[must_use]
    pub fn cut(&self, from: u64, bytes_max: u64) -> Option<Cut> {
        let begin = self.sidecar.point_at(from)?;
        Some(Cut { begin, end: self.sidecar.cut_after(begin, bytes_max) })
    }

    /// Reads `bytes` of the segment, as [`Cut::bytes`] gives them, and verifies each block that they touch.
    ///
    /// # Errors
    /// The disk's, or corruption with the first block that fails.
    ///
    /// # Panics
    /// If the range lies beyond the segment or runs backwards.
    pub async fn read_raw(&self, bytes: Range<u64>) -> Result<RawRecords> {
        self.read_raw_into(bytes, AlignedBuf::with_capacity).await
    }

    /// As [`Self::read_raw`], into the buffer that `buffer` gives for a capacity: of that, or a little more (all
    /// of it is read into).
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
    ) -> Result<RawRecords> {
        assert!(
            bytes.start <= bytes.end && bytes.end <= self.sidecar.header().bytes,
            "a range of the segment"
        );
        if bytes.is_empty() {
            return Ok(RawRecords { buffer: AlignedBuf::with_capacity(0), range: 0..0 });
        }
        let first = bytes.start / BLOCK * BLOCK;
        let length = usize::try_from(bytes.end - first).expect("a page fits into memory");
        let capacity = length.next_multiple_of(SIDECAR_BLOCK_BYTES);
        let buffer = buffer(capacity);
        assert!(buffer.capacity() >= capacity, "the buffer holds what is asked for");
        let buffer = self.read_blocks(buffer, first, bytes.end).await?;
        let begin = usize::try_from(bytes.start - first).expect("less than a block");
        Ok(RawRecords { buffer, range: begin..length })
    }

    /// The records from the point `from` on, read in pieces of `chunk_bytes`, rounded to whole blocks.
    #[must_use]
    pub fn records(self, from: Point, chunk_bytes: usize) -> RecordStream<D> {
        let chunk = chunk_bytes.next_multiple_of(SIDECAR_BLOCK_BYTES).max(SIDECAR_BLOCK_BYTES);
        RecordStream {
            next: from.offset / BLOCK * BLOCK,
            skip: usize::try_from(from.offset % BLOCK).expect("less than a block"),
            chunk: Some(AlignedBuf::with_capacity(chunk)),
            buffer: Vec::new(),
            record: 0..0,
            docid: 0..0,
            segment: self,
        }
    }

    /// Verifies every block, and that the file is as long as it should be; adds what is wrong to `findings`.
    ///
    /// # Errors
    /// The disk's.
    pub async fn verify_blocks(&self, chunk_bytes: usize, findings: &mut Vec<Corruption>) -> Result<()> {
        let header = *self.sidecar.header();
        let mut buffer = AlignedBuf::with_capacity(chunk_bytes.next_multiple_of(SIDECAR_BLOCK_BYTES));
        let mut offset = 0;
        while offset < header.bytes {
            let (result, chunk) = self.file.read_at(buffer, offset).await;
            result?;
            let end = header.bytes.min(offset + chunk.capacity() as u64);
            findings.extend(
                (offset..end).step_by(SIDECAR_BLOCK_BYTES).filter_map(|at| self.check(&chunk, offset, at)),
            );
            offset = end;
            buffer = chunk;
        }
        if !header.torn && self.file.len().await? > header.bytes {
            findings.push(self.damage(header.bytes, "the file goes on behind the segment's end"));
        }
        Ok(())
    }

    // Fills the buffer from the block that begins at `first`, and verifies all blocks that begin before
    // `end`. The buffer holds nothing behind the segment's end.
    async fn read_blocks(&self, buffer: AlignedBuf, first: u64, end: u64) -> Result<AlignedBuf> {
        let (result, mut buffer) = self.file.read_at(buffer, first).await;
        result?;
        let left = self.sidecar.header().bytes - first;
        buffer.set_len(buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        let end = end.min(first + buffer.capacity() as u64);
        match (first..end).step_by(SIDECAR_BLOCK_BYTES).find_map(|at| self.check(&buffer, first, at)) {
            Some(corruption) => Err(corruption.into()),
            None => Ok(buffer),
        }
    }

    // What is wrong with the block that begins at byte `at` of the segment, in a buffer that begins at `first`.
    fn check(&self, buffer: &AlignedBuf, first: u64, at: u64) -> Option<Corruption> {
        let begin = usize::try_from(at - first).expect("within the buffer");
        let length = usize::try_from((self.sidecar.header().bytes - at).min(BLOCK)).expect("at most a block");
        match buffer.get(begin..begin + length) {
            Some(block) if self.sidecar.verify_block(at / BLOCK, block) => None,
            Some(_) => Some(self.damage(at, "the block's checksum does not match")),
            None => Some(self.damage(first + buffer.len() as u64, "the file ends too early")),
        }
    }

    fn corrupt(&self, offset: u64, what: &str) -> Error {
        self.damage(offset, what).into()
    }

    fn damage(&self, offset: u64, what: &str) -> Corruption {
        Corruption { path: self.path.clone(), offset, what: what.to_owned() }
    }
}

impl<D: Disk> RecordStream<D> {
    /// Moves to the next record; false at the end of the segment. Before the first call there is none.
    ///
    /// # Errors
    /// The disk's, or corruption.
    pub async fn advance(&mut self) -> Result<bool> {
        let at = self.record.end;
        self.record = at..at;
        loop {
            let end = self.segment.sidecar.header().bytes;
            let what = match RecordView::parse(&self.buffer[self.record.start..]) {
                Ok((record, length)) => match record.docid {
                    Some(docid) => {
                        // An empty one may point anywhere.
                        let begin = match docid {
                            [] => self.record.start,
                            docid => docid.as_ptr().addr() - self.buffer.as_ptr().addr(),
                        };
                        self.docid = begin..begin + docid.len();
                        self.record.end = self.record.start + length;
                        return Ok(true);
                    }
                    None => "a record without docid",
                },
                Err(DecodeError::Incomplete) if self.next < end => {
                    self.fill().await?;
                    continue;
                }
                Err(DecodeError::Incomplete) if self.record.start == self.buffer.len() => return Ok(false),
                Err(DecodeError::Incomplete) => "the last record is not whole",
                Err(DecodeError::Malformed { what, .. }) => what,
            };
            return Err(self.corrupt(what));
        }
    }

    /// The record's bytes as they stand in the segment.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.record.clone()]
    }

    /// The record's docid.
    #[must_use]
    pub fn docid(&self) -> &[u8] {
        &self.buffer[self.docid.clone()]
    }

    /// Where in [`Self::bytes`] the docid begins.
    pub(super) const fn docid_offset(&self) -> usize {
        self.docid.start - self.record.start
    }

    /// That the current record is not what it should be.
    #[must_use]
    pub fn corrupt(&self, what: &str) -> Error {
        self.segment.corrupt(self.offset(), what)
    }

    /// Byte offset in the segment at which the current record begins, or would.
    #[must_use]
    pub fn offset(&self) -> u64 {
        let read = self.next.min(self.segment.sidecar.header().bytes);
        read - (self.buffer.len() - self.record.start) as u64
    }

    /// The segment that is read.
    #[must_use]
    pub const fn segment(&self) -> &OpenSegment<D> {
        &self.segment
    }

    // Reads on, to at least twice as many bytes as are left, so that a long record is not parsed over and
    // over.
    async fn fill(&mut self) -> Result<()> {
        let end = self.segment.sidecar.header().bytes;
        self.buffer.drain(..std::mem::take(&mut self.record.start));
        self.record = 0..0;
        let enough = self.buffer.len() * 2 + 1;
        while self.buffer.len() < enough && self.next < end {
            let chunk = self.chunk.take().expect("one read at a time");
            let chunk = self.segment.read_blocks(chunk, self.next, end).await?;
            self.next += chunk.len() as u64;
            self.buffer.extend_from_slice(&chunk[std::mem::take(&mut self.skip)..]);
            self.chunk = Some(chunk);
        }
        Ok(())
    }
}
