//! Numbers about background work, written by the background thread and read by any other.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number. Only one thread writes it, so a load and a store are enough.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    /// What it is now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }
}

/// Numbers about background work. Counters count since the process began; gauges show the last look.
#[derive(Debug, Default)]
pub struct JobStats {
    /// Counter: epochs dealt.
    pub dealt_epochs: Number,
    /// Counter: records written to indexes by dealing.
    pub dealt_records: Number,
    /// Counter: bytes written to indexes by dealing.
    pub dealt_bytes: Number,
    /// Counter: unsorted segments published by dealing.
    pub dealt_segments: Number,
    /// Counter: passes over epochs; more than epochs if memory was too small for one.
    pub deal_passes: Number,
    /// Counter: records not dealt because their index was deleted after them.
    pub deleted_records: Number,
    /// Counter: records with neither docid nor content.
    pub empty_records: Number,
    /// Counter: records that belong to no index, set aside in rejected/.
    pub rejected_records: Number,
    /// Counter: raw files moved to history.
    pub archived_files: Number,
    /// Gauge: complete epochs that wait to be dealt.
    pub waiting_epochs: Number,
    /// Gauge: bytes of their records.
    pub waiting_bytes: Number,
    /// Gauge: what their files take of the drive, in bytes.
    pub waiting_file_bytes: Number,
    /// Gauge: what dealing them, and the epoch that is open, may take of the drive, in bytes.
    pub needed_bytes: Number,
    /// Counter: looks at what waits, by which these gauges were set.
    pub looks: Number,
    /// Gauge: time of the oldest of them, ms since 1970; 0 if none waits.
    pub oldest_waiting_ms: Number,
    /// Gauge: 1 while an epoch can't be dealt because of damage.
    pub blocked: Number,
    /// Gauge: epochs in raw/live/ from before the checkpoint that nothing proves to be dealt.
    pub stray_epochs: Number,
    /// Gauge: 1 while the oldest of them has been incomplete for minutes.
    pub incomplete: Number,
    /// Gauge: kinds of work that wait for room on the drive.
    pub without_room: Number,
    /// Gauge: the checkpoint: the next epoch to deal, ms since 1970.
    pub checkpoint_ms: Number,
    /// Gauge: segments of indexes that are gone, though nothing else holds their records, as the last walk met them.
    pub gone_segments: Number,
    /// Counter: sorts that published a segment.
    pub sorts: Number,
    /// Gauge: indexes that want to be sorted.
    pub sort_waiting: Number,
    /// Counter: optimizations that published a segment.
    pub optimizations: Number,
    /// Gauge: indexes that wait for their optimization.
    pub queue_length: Number,
    /// Counter: segments removed by cleaning.
    pub cleaned_segments: Number,
    /// Counter: their bytes.
    pub cleaned_bytes: Number,
    /// Counter: folders of deleted indexes removed.
    pub removed_indexes: Number,
    /// Counter: files of raw/history/ given up.
    pub pruned_files: Number,
    /// Counter: their bytes.
    pub pruned_bytes: Number,
    /// Counter: turns of the loop that deals and sorts; it turns every few seconds, if only to look around.
    pub dealing_turns: Number,
    /// Counter: turns of the loop that optimizes and cleans; as above.
    pub tending_turns: Number,
    /// Counter: steps that failed.
    pub errors: Number,
}
