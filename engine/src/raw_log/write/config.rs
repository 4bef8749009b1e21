//! How a shard writes its stream of the raw log.

use std::time::Duration;

use crate::format::raw::{FRAME_HEADER_BYTES, FRAMES_OFFSET};
use crate::ids::ShardId;
use crate::limits::{self, Limits};

/// When a batch is acknowledged, and what a power cut may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// When it is written; what was acknowledged is durable after this long at most.
    Interval(Duration),
    /// When it is durable.
    Always,
}

/// How a shard's bytes travel to the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendMode {
    /// Past the page cache (`O_DIRECT`): frames are padded to 4096 bytes.
    Direct,
    /// Through the page cache: frames are padded to 8 bytes.
    Buffered,
}

impl AppendMode {
    /// Frames begin at multiples of this.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::Direct => limits::DIRECT_BLOCK_BYTES,
            Self::Buffered => limits::BUFFERED_BLOCK_BYTES,
        }
    }
}

/// How a shard writes its stream of the raw log.
#[derive(Clone, Debug)]
pub struct WriterConfig {
    /// Whose stream.
    pub shard: ShardId,
    /// When batches are acknowledged.
    pub sync: SyncMode,
    /// How segments are opened and padded.
    pub append: AppendMode,
    /// A segment of this length is sealed, and its epoch with it.
    pub segment_roll_bytes: u64,
    /// An epoch with records is closed when this shard has written to it for so long.
    pub epoch_max_age: Duration,
    /// An epoch that handed out so many positions is closed.
    pub epoch_records_seal: u32,
    /// Frames being written at once. What arrives while so many are gathers in the next frame.
    pub writes_in_flight_max: usize,
    /// Segments made ready to have at hand: one for the next epoch, one to rewrite to after an I/O error.
    pub ready_target: usize,
    /// In buffered mode, start write-out whenever this many bytes were written. Zero: leave it to the kernel.
    pub write_out_bytes: u64,
    /// A frame gathers batches up to this many bytes of records; one greater batch is a frame of its own.
    pub frame_bytes_target: usize,
    /// Longest batch, in bytes of records.
    pub batch_bytes_max: usize,
    /// Memory for batches received and frames not yet synced. Half of it un-synced begins a sync.
    pub unsynced_bytes_max: usize,
}

impl WriterConfig {
    /// The defaults for this shard under these limits.
    #[must_use]
    pub fn new(shard: ShardId, limits: &Limits) -> Self {
        let frame_bytes_target =
            usize::try_from(limits::MIB).expect("a MiB fits").min(limits.message_bytes_max);
        Self {
            shard,
            sync: SyncMode::Interval(limits::SYNC_INTERVAL),
            append: AppendMode::Buffered,
            segment_roll_bytes: limits.segment_roll_bytes,
            epoch_max_age: limits::EPOCH_AGE_MAX,
            epoch_records_seal: limits::EPOCH_RECORDS_SEAL,
            writes_in_flight_max: 2,
            ready_target: 2,
            write_out_bytes: limits::MIB,
            frame_bytes_target,
            batch_bytes_max: limits.message_bytes_max,
            unsynced_bytes_max: limits.unsynced_bytes_max,
        }
    }

    /// Whether each write is durable when it is complete, so that frames need no fdatasync.
    ///
    /// Only past the page cache: there each write reports its own error. Of two buffered writes under way, the one
    /// that asks first would be told the other's.
    #[must_use]
    pub const fn writes_are_durable(&self) -> bool {
        matches!((self.sync, self.append), (SyncMode::Always, AppendMode::Direct))
    }

    /// Longest frame on disk: header, records, padding.
    #[must_use]
    pub const fn frame_bytes_max(&self) -> usize {
        let payload = if self.batch_bytes_max > self.frame_bytes_target {
            self.batch_bytes_max
        } else {
            self.frame_bytes_target
        };
        (FRAME_HEADER_BYTES + payload).next_multiple_of(limits::DIRECT_BLOCK_BYTES)
    }

    /// Least length of a ready segment's file: the frame that makes it full may begin just before it is.
    #[must_use]
    pub const fn ready_file_bytes_min(&self) -> u64 {
        FRAMES_OFFSET + self.segment_roll_bytes + self.frame_bytes_max() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_whatever_is_written_to_it() {
        for (roll, message) in [(50 << 20, 16 << 20), (16_384, 4_096), (20_000, 9_999), (1 << 20, 4_097)] {
            let limits = Limits { segment_roll_bytes: roll, message_bytes_max: message, ..Limits::default() };
            let least = WriterConfig::new(ShardId(0), &limits).ready_file_bytes_min();
            assert!(least <= limits.segment_file_bytes(), "{roll} {message}");
        }
    }
}
