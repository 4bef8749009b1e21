//! What a scan delivers: a run of records with dense positions, borrowed from the scan's buffer.

use std::path::Path;

use logtank_wire::record::{DecodeError, RecordView};

use crate::error::Corruption;
use crate::ids::Position;
use crate::time::WallMillis;

/// A run of records that were written together, verified.
///
/// In a segment of this host that is a frame. A segment of the original knows no frames: there it is some
/// whole records that stand next to each other.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The file.
    pub path: &'a Path,
    /// Byte offset in the file at which the frame begins.
    pub offset: u64,
    /// Byte offset in the file at which [`Self::payload`] begins.
    pub payload_offset: u64,
    /// Position of the first record in the payload; the others follow densely.
    pub first: Position,
    /// Records in the payload, at least one.
    pub records: u32,
    /// The timestamp of all records; `None` in a segment of the original, where each record has its own.
    pub time: Option<WallMillis>,
    /// The records, Thrift binary, with index_code.
    pub payload: &'a [u8],
    /// Padding behind the payload, up to where the next frame may begin.
    pub padding: &'a [u8],
    /// Records before this position are not meant: they were delivered already, or reported lost.
    pub from: Position,
    /// Records from this position on are not meant.
    pub until: Position,
    /// Its payload is damaged and is not here; what was asked for is not in there.
    pub withheld: bool,
}

/// One record of the raw log.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the log.
    pub position: Position,
    /// Its timestamp: that of the frame, or its own in a segment of the original.
    pub time: WallMillis,
    /// What it says.
    pub view: RecordView<'a>,
    /// Its bytes, Thrift binary.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Position just past the last record of the payload.
    #[must_use]
    pub fn end(&self) -> Position {
        Position::from_packed(self.first.packed() + u64::from(self.records))
    }

    /// The records from [`Self::from`] up to [`Self::until`], in order. After an error there are no more.
    #[must_use]
    pub const fn records(&self) -> Records<'a> {
        let taken = if self.withheld { self.records } else { 0 };
        Records { frame: *self, taken, at: 0 }
    }
}

/// Iterates over the records of a [`Frame`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    frame: Frame<'a>,
    taken: u32,
    at: usize,
}

impl<'a> Records<'a> {
    fn corruption(&mut self, what: String) -> Option<Result<Record<'a>, Corruption>> {
        self.taken = self.frame.records;
        let offset = self.frame.payload_offset + self.at as u64;
        self.at = self.frame.payload.len();
        Some(Err(Corruption { path: self.frame.path.to_owned(), offset, what }))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Corruption>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.taken < self.frame.records {
            let rest = &self.frame.payload[self.at..];
            let (view, len) = match RecordView::parse(rest) {
                Ok(parsed) => parsed,
                // The checksum held, so the writer wrote it so.
                Err(DecodeError::Incomplete) => return self.corruption("a record ends too early".into()),
                Err(error) => return self.corruption(format!("not a record: {error}")),
            };
            let position = Position::from_packed(self.frame.first.packed() + u64::from(self.taken));
            self.taken += 1;
            self.at += len;
            if position >= self.frame.until {
                return None;
            }
            if position >= self.frame.from {
                let own = || view.timestamp_ms.and_then(|ms| u64::try_from(ms).ok()).map(WallMillis);
                let time = self.frame.time.or_else(own).unwrap_or(WallMillis(position.epoch().millis()));
                return Some(Ok(Record { position, time, view, bytes: &rest[..len] }));
            }
        }
        if self.at < self.frame.payload.len() {
            return self.corruption("bytes behind the last record of a frame".into());
        }
        None
    }
}
