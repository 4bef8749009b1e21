use logtank_wire::record::write_normalized;

use super::ahead::Ahead;
use super::page::Chunk;
use super::token::{Place, Progress};
use crate::error::Corruption;
use crate::ids::{IndexCode, Position};
use crate::index_log::segment_reader::RawRecords;
use crate::raw_log::read::frame::Frame;

/// A page while it is being filled.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) code: IndexCode,
    /// How far the recovery has come with what is in the page.
    pub(super) progress: Progress,
    /// Whether holes in the raw log are taken for what they will stay.
    pub(super) gaps_accepted: bool,
    /// What was read before the page was asked for.
    pub(super) ahead: Option<Ahead>,
    from_before: Position,
    bytes_max: usize,
    bytes: usize,
    records: u32,
    chunks: Vec<Chunk>,
    live: Vec<u8>,
}

/// How much of a frame went into the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// All that concerns the index.
    All,
    /// What lies before this position; the page is full.
    Before(Position),
}

impl Draft {
    pub(super) fn new(code: IndexCode, progress: Progress, bytes_max: usize) -> Self {
        Self {
            code,
            from_before: progress.from,
            progress,
            gaps_accepted: false,
            ahead: None,
            bytes_max,
            bytes: 0,
            records: 0,
            chunks: Vec::new(),
            live: Vec::new(),
        }
    }

    /// Bytes that still fit.
    pub(super) const fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes)
    }

    /// Whether there is no record in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether answering it as it is brings the recovery any further.
    pub(super) fn has_advanced(&self) -> bool {
        !self.is_empty() || self.progress.from > self.from_before
    }

    /// Moves on: everything before `from` is in this page or an earlier one.
    pub(super) fn advance(&mut self, from: Position, mut place: Place) {
        self.progress.from = self.progress.from.max(from);
        if let Place::Live(hints) = &mut place {
            hints.retain(|hint| hint.name.epoch() == Some(self.progress.from.epoch()));
        }
        self.progress.place = place;
    }

    /// Adds the first `bytes` of what was read from a segment, which are `count` records.
    pub(super) fn push(&mut self, read: RawRecords, bytes: usize, count: u32) {
        self.close_live();
        self.chunks.push(Chunk::Segment(read, bytes));
        self.bytes += bytes;
        self.records += count;
    }

    /// Adds the records of a frame that concern the index, as far as they fit; at least one if the page is empty.
    ///
    /// # Errors
    /// If the frame does not hold what its header says; nothing of it is added then.
    pub(super) fn take(&mut self, frame: &Frame<'_>) -> Result<Taken, Corruption> {
        let (length, bytes, records) = (self.live.len(), self.bytes, self.records);
        let taken = self.take_records(frame);
        if taken.is_err() {
            self.live.truncate(length);
            (self.bytes, self.records) = (bytes, records);
        }
        taken
    }

    fn take_records(&mut self, frame: &Frame<'_>) -> Result<Taken, Corruption> {
        for record in frame.records() {
            let record = record?;
            let ours = record.view.index_code == Some(self.code.as_str().as_bytes());
            // A record of nothing is dropped when it is dealt, too.
            if !ours || record.view.docid.is_none() {
                continue;
            }
            let before = self.live.len();
            let time = i64::try_from(record.time.0).unwrap_or(i64::MAX);
            write_normalized(&mut self.live, &record.view, time);
            let added = self.live.len() - before;
            if added > self.room() && !self.is_empty() {
                self.live.truncate(before);
                return Ok(Taken::Before(record.position));
            }
            self.bytes += added;
            self.records += 1;
        }
        Ok(Taken::All)
    }

    /// The chunks, how many records they hold, and how far they go.
    pub(super) fn finish(mut self) -> (Vec<Chunk>, u32, Progress) {
        self.close_live();
        (self.chunks, self.records, self.progress)
    }

    fn close_live(&mut self) {
        if !self.live.is_empty() {
            self.chunks.push(Chunk::Live(std::mem::take(&mut self.live)));
        }
    }
}
