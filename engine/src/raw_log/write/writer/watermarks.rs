//! How far the frames are, as three numbers; none ever moves back.

use crate::mutant::bug;
use crate::raw_log::write::config::SyncMode;

/// Placed ≥ acknowledged and placed ≥ synced; in always mode synced ≥ acknowledged.
#[derive(Debug)]
pub(super) struct Watermarks {
    /// Number of the next frame to get a place.
    placed: u64,
    acknowledged: u64,
    synced: u64,
    /// Memory of the frames that have a place and are not synced.
    unsynced_bytes: usize,
    /// A frame is acknowledged only when it is durable.
    only_durable: bool,
}

impl Watermarks {
    pub(super) fn new(mode: SyncMode) -> Self {
        Self {
            placed: 0,
            acknowledged: 0,
            synced: 0,
            unsynced_bytes: 0,
            only_durable: mode == SyncMode::Always,
        }
    }

    pub(super) const fn placed(&self) -> u64 {
        self.placed
    }

    pub(super) const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(super) const fn synced(&self) -> u64 {
        self.synced
    }

    pub(super) const fn unsynced_bytes(&self) -> usize {
        self.unsynced_bytes
    }

    /// A frame got its place; `bytes` is the memory of its buffer.
    ///
    /// # Panics
    /// If it is not the next one.
    pub(super) fn place(&mut self, number: u64, bytes: usize) {
        assert_eq!(number, self.placed, "frames get their places in order");
        self.placed += 1;
        self.unsynced_bytes += bytes;
    }

    /// A frame of so much memory is durable, and forgotten.
    pub(super) const fn forget(&mut self, bytes: usize) {
        self.unsynced_bytes -= bytes;
    }

    /// Follows what is written and synced. The first frames that are not are given, if there are any; what is written in a
    /// row counts as acknowledged only if `acknowledges_written`.
    ///
    /// # Panics
    /// If a frame that was synced is not any more, or one would be acknowledged too early: bugs.
    pub(super) fn advance(
        &mut self,
        first_unsynced: Option<u64>,
        first_unwritten: Option<u64>,
        acknowledges_written: bool,
    ) {
        let synced = first_unsynced.unwrap_or(self.placed);
        assert!(synced >= self.synced, "the synced watermark went back");
        self.synced = synced;
        let reached = if bug!(WatermarkStaged) && !self.only_durable {
            self.placed
        } else if acknowledges_written {
            first_unwritten.unwrap_or(self.placed)
        } else {
            synced
        };
        // After an I/O error written frames count as unwritten until they are written elsewhere; what was acknowledged
        // stays so.
        self.acknowledged = self.acknowledged.max(reached);
        assert!(self.acknowledged <= self.placed, "acknowledged before it had a place");
        assert!(!self.only_durable || self.acknowledged <= self.synced, "acknowledged before it was durable");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn placed(mode: SyncMode, frames: u64) -> Watermarks {
        let mut watermarks = Watermarks::new(mode);
        (0..frames).for_each(|number| watermarks.place(number, 4096));
        watermarks
    }

    #[test]
    fn what_was_acknowledged_stays_so_after_an_io_error() {
        let mut watermarks = placed(SyncMode::Interval(Duration::from_secs(1)), 5);
        watermarks.advance(Some(1), Some(4), true);
        assert_eq!((watermarks.synced(), watermarks.acknowledged()), (1, 4));
        watermarks.advance(Some(1), Some(1), true);
        assert_eq!((watermarks.synced(), watermarks.acknowledged()), (1, 4), "frames to write once more");
        watermarks.advance(Some(3), None, false);
        assert_eq!((watermarks.synced(), watermarks.acknowledged()), (3, 4), "too old to acknowledge more");
        watermarks.advance(None, None, false);
        assert_eq!((watermarks.synced(), watermarks.acknowledged()), (5, 5));
    }

    #[test]
    #[should_panic(expected = "acknowledged before it was durable")]
    fn in_always_mode_nothing_is_acknowledged_before_it_is_synced() {
        placed(SyncMode::Always, 2).advance(Some(1), Some(2), true);
    }

    #[test]
    #[should_panic(expected = "the synced watermark went back")]
    fn what_was_synced_stays_so() {
        let mut watermarks = placed(SyncMode::Always, 2);
        watermarks.advance(Some(1), Some(1), false);
        watermarks.advance(Some(0), Some(1), false);
    }
}
