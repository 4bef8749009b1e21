//! What one call of `read_page` answers.

use std::ops::{Deref, Range};

use logtank_wire::page::LogPageToken;

use crate::index_log::segment_reader::RawRecords;
use crate::io::buffers::AlignedBuf;

/// A page of a recovery: encoded records, ready for the wire.
#[derive(Debug)]
pub struct Page {
    /// The records, one chunk behind the other.
    pub chunks: Vec<Chunk>,
    /// How many they are.
    pub records: u32,
    /// Where to go on; `None` if this is the last page.
    pub next: Option<LogPageToken>,
}

/// Encoded records that stand together in memory.
#[derive(Debug)]
pub enum Chunk {
    /// As they stand in a segment of the index.
    Segment(RawRecords, usize),
    /// Collected from the raw log.
    Live(Vec<u8>),
}

impl Chunk {
    /// Its memory, and where in it the records stand.
    #[must_use]
    pub fn into_parts(self) -> (ChunkMemory, Range<usize>) {
        match self {
            Self::Segment(records, bytes) => {
                let (buffer, range) = records.into_parts();
                (ChunkMemory::Segment(buffer), range.start..range.start + bytes)
            }
            Self::Live(records) => {
                let range = 0..records.len();
                (ChunkMemory::Live(records), range)
            }
        }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Segment(records, bytes) => &records[..*bytes],
            Self::Live(records) => records,
        }
    }
}

/// Memory of a [`Chunk`].
#[derive(Debug)]
pub enum ChunkMemory {
    /// To be given back to [`super::reader::Reader::recycle`] when it is sent.
    Segment(AlignedBuf),
    /// Of no further use.
    Live(Vec<u8>),
}

impl Page {
    /// Bytes of the records.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }
}
