//! What this stream received and is still to be dealt, for the ledger of the drive's room.

use std::sync::Arc;

use super::segments::Segments;
use crate::format::raw::FRAME_HEADER_BYTES;
use crate::raw_log::write::config::WriterConfig;
use crate::raw_log::write::segment::Segment;
use crate::room::ledger::Ledger;

/// One shard's side of the ledger.
#[derive(Debug)]
pub(super) struct Received {
    ledger: Arc<Ledger>,
    shard: usize,
    block_bytes: usize,
    frame_bytes_max: u64,
    /// What stands in segments that are sealed.
    sealed_bytes: u64,
}

impl Received {
    pub(super) fn new(config: &WriterConfig, ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            shard: usize::from(config.shard.0),
            block_bytes: config.append.block_bytes(),
            frame_bytes_max: config.frame_bytes_max() as u64,
            sealed_bytes: 0,
        }
    }

    /// Whether there is room to deal one more batch of any size.
    pub(super) fn admits_another(&self) -> bool {
        self.ledger.admits(self.frame_bytes_max)
    }

    /// Whether a batch needs a place in a segment at hand to be taken.
    pub(super) fn keeps_to_segments(&self) -> bool {
        self.ledger.keeps_to_segments()
    }

    /// A batch of so many bytes came; it may be a frame of its own.
    pub(super) fn take(&self, bytes: usize) {
        let frame_bytes = (FRAME_HEADER_BYTES + bytes).next_multiple_of(self.block_bytes) as u64;
        self.ledger.take(self.shard, frame_bytes);
    }

    /// A segment is sealed.
    pub(super) const fn add_sealed(&mut self, segment: &Segment) {
        self.sealed_bytes += segment.sealed_bytes();
    }

    /// Says what is received, and what of it is sealed, for all of it is to be dealt. What is not sealed is in `segments`,
    /// or is `staged_bytes` of memory.
    pub(super) fn publish(&self, segments: &Segments, staged_bytes: usize) {
        let unsealed = segments.iter().map(Segment::bytes).sum::<u64>() + staged_bytes as u64;
        self.ledger.publish(self.shard, self.sealed_bytes + unsealed, self.sealed_bytes);
    }
}
