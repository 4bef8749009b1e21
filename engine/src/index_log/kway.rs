//! K-way merge of sorted segments: one pass, memory for one piece of each.
//!
//! A heap orders the streams by docid, and those at the same docid by age: at its top is the smallest docid's
//! oldest record. A docid that occurs once, as most do, is copied as bytes.

use std::cmp::Ordering;

use super::counts::MergeCounts;
use super::docid;
use super::merge::Rule;
use super::record::Record;
use super::segment_reader::RecordStream;
use super::segment_writer::SegmentWriter;
use crate::error::Result;
use crate::io::disk::Disk;
use crate::limits::{Limits, SIDECAR_BLOCK_BYTES};

/// Least bytes of one read: shorter ones cost more in seeks than they save in memory.
const CHUNK_BYTES_MIN: usize = 256 * 1024;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// A stream holds the piece being read and up to twice as much read before.
const CHUNKS_A_STREAM: usize = 3;

/// How many streams may be merged at once.
#[must_use]
pub(crate) fn fan_in_max(limits: &Limits) -> usize {
    let by_memory = limits.job_bytes_max / (CHUNKS_A_STREAM * CHUNK_BYTES_MIN);
    by_memory.min(limits.open_files_max / 2).max(2)
}

/// How many bytes each of `streams` streams should read at once.
#[must_use]
pub(crate) fn chunk_bytes(limits: &Limits, streams: usize) -> usize {
    let share = limits.job_bytes_max / (CHUNKS_A_STREAM * streams.max(1));
    share.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX) / SIDECAR_BLOCK_BYTES * SIDECAR_BLOCK_BYTES
}

/// Merges `streams`, ordered from the oldest to the newest and each new, into `target`. Adds what it
/// reads to `counts`.
///
/// # Errors
/// The disk's, or corruption: also if a stream's docids are not ordered, each once.
pub(crate) async fn merge_streams<D: Disk>(
    streams: Vec<RecordStream<D>>,
    rule: Rule,
    target: &mut SegmentWriter<D>,
    counts: &mut MergeCounts,
) -> Result<()> {
    let mut heap = Heap { streams, order: Vec::new(), before: Vec::new() };
    heap.fill().await?;
    let mut scratch = Vec::new();
    while let Some(oldest) = heap.top() {
        counts.add(oldest.bytes().len());
        if heap.top_is_alone() {
            rule.write_alone(oldest.bytes(), oldest.docid(), target, &mut scratch).await?;
            heap.advance().await?;
        } else {
            let mut merged = Record::from_bytes(oldest.bytes());
            heap.advance().await?;
            while let Some(newer) = heap.top().filter(|newer| newer.docid() == merged.docid) {
                counts.add(newer.bytes().len());
                merged.merge(Record::from_bytes(newer.bytes()));
                heap.advance().await?;
            }
            rule.write_merged(merged, target, &mut scratch).await?;
        }
    }
    Ok(())
}

struct Heap<D: Disk> {
    // From the oldest to the newest.
    streams: Vec<RecordStream<D>>,
    // Those that are at a record, as a binary heap of their numbers.
    order: Vec<usize>,
    before: Vec<u8>,
}

impl<D: Disk> Heap<D> {
    async fn fill(&mut self) -> Result<()> {
        for (number, stream) in self.streams.iter_mut().enumerate() {
            if stream.advance().await? {
                self.order.push(number);
            }
        }
        for at in (0..self.order.len() / 2).rev() {
            self.sift_down(at);
        }
        Ok(())
    }

    fn top(&self) -> Option<&RecordStream<D>> {
        self.order.first().map(|&number| &self.streams[number])
    }

    // Whether no other stream is at the docid of the top: the next in order is one of its children.
    fn top_is_alone(&self) -> bool {
        let docid = |at: usize| self.order.get(at).map(|&number| self.streams[number].docid());
        docid(1) != docid(0) && docid(2) != docid(0)
    }

    // Moves the top on to its next record.
    async fn advance(&mut self) -> Result<()> {
        let stream = &mut self.streams[self.order[0]];
        self.before.clear();
        self.before.extend_from_slice(stream.docid());
        if stream.advance().await? {
            if docid::compare(&self.before, stream.docid()).is_ge() {
                return Err(stream.corrupt("the docid does not come after the one before"));
            }
        } else {
            self.order.swap_remove(0);
        }
        self.sift_down(0);
        Ok(())
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.order.len() && self.compare(child, least).is_lt() {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.order.swap(at, least);
            at = least;
        }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let (a, b) = (self.order[a], self.order[b]);
        docid::compare(self.streams[a].docid(), self.streams[b].docid()).then(a.cmp(&b))
    }
}
