//! Whether batches are taken, and raw segments made, by how much room there is.
//!
//! What holds after every answer, as far as nobody else fills the drive (F: bytes free, R: the reserve, P: what is promised to
//! dealing, S: a segment, B: one batch):
//!
//! - A segment is made only where F ≥ R + P + S + B, so making it leaves room to deal everything that was received.
//! - A shard that has a segment at hand gets another one only where each shard could get one more besides.
//! - Batches are taken only as far as F ≥ R + P, whatever the segments at hand could hold.
//! - Where not all that shards have memory for could get segments besides, batches are taken only as far as those at hand
//!   hold them. So none waits in memory for a segment that only the reserve has room for.
//! - Segments at hand are room that batches take first. So they count for taking batches again: they never close the gate for
//!   good.

use super::ledger::{dealt_with, to_deal};
use super::reserve::{Reserve, files_min};
use crate::io::disk::Space;
use crate::mutant::bug;

/// What is known at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Room on the raw log's drive.
    pub room: Space,
    /// What dealing everything received takes of that drive; `None` if the indexes are on another one.
    pub promised: Option<u64>,
    /// Segments that shards have at hand, none of their bytes written.
    pub at_hand: usize,
    /// Shards that have none.
    pub without: usize,
}

/// Decides about batches and raw segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    reserve: Reserve,
    /// Length of a raw segment.
    segment_bytes: u64,
    /// What the longest batch takes of one.
    batch_bytes: u64,
    /// Segments that what one shard has in memory may fill.
    memory_segments: usize,
    shards: usize,
    open: bool,
}

impl Gate {
    /// Open. Segments are `segment_bytes` long, of which one batch takes at most `batch_bytes`; what one shard has in memory
    /// fills at most `memory_segments`.
    ///
    /// # Panics
    /// If a segment does not hold a batch: a bug.
    #[must_use]
    pub(crate) const fn new(
        reserve: Reserve,
        segment_bytes: u64,
        batch_bytes: u64,
        memory_segments: usize,
        shards: usize,
    ) -> Self {
        assert!(batch_bytes < segment_bytes, "a segment holds a batch");
        Self { reserve, segment_bytes, batch_bytes, memory_segments, shards, open: true }
    }

    /// Looks at the room; whether batches are to be taken.
    pub(crate) fn observe(&mut self, sight: &Sight) -> bool {
        let times = if self.open { 1 } else { 2 };
        let enough = self.reserve.bytes() == 0 || {
            let counted = !self.open && !bug!(AtHandUncounted);
            let at_hand = if counted { self.segments(sight.at_hand) } else { 0 };
            let wanting = if self.open { 0 } else { self.segments(sight.without) };
            sight.room.available_bytes >= self.least(sight).saturating_add(wanting)
                && sight.room.available_bytes.saturating_add(at_hand) >= self.bytes_min(sight)
        };
        self.open = enough && sight.room.available_files >= files_min(&sight.room).saturating_mul(times);
        self.open
    }

    /// Whether batches are taken, by the last look.
    #[must_use]
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// What must be free now, with segments at hand, for batches to be taken: the reserve and what dealing takes to go on, and
    /// the reserve once more to begin again.
    #[must_use]
    pub(crate) fn bytes_min(&self, sight: &Sight) -> u64 {
        if self.open {
            self.least(sight)
        } else {
            self.reserve.bytes().saturating_mul(2).saturating_add(sight.promised.unwrap_or(0))
        }
    }

    /// Whether one more segment may be made, for a shard that has none at hand (`first`), or one more.
    #[must_use]
    pub(crate) fn admits_segment(&self, sight: &Sight, first: bool) -> bool {
        let others = if first || bug!(SecondBeforeFirst) { 0 } else { self.shards };
        let wanted = self.beside_reserve(sight).saturating_add(self.segments(1 + others));
        self.reserve.bytes() == 0 || (self.open && self.reserve.admits(&sight.room, wanted))
    }

    /// How much may be received before the next look, in bytes of raw segments; `None`: all that segments at hand can hold.
    #[must_use]
    pub(crate) fn allowance(&self, sight: &Sight) -> Option<u64> {
        let promised = sight.promised.filter(|_| self.reserve.bytes() > 0)?;
        let free = sight.room.available_bytes.saturating_sub(self.reserve.bytes()).saturating_sub(promised);
        // Each shard may have one in use besides.
        let most = to_deal(self.segments(sight.at_hand + self.shards));
        (free < most).then(|| dealt_with(free))
    }

    /// Whether all that shards may receive before the next look gets segments, and is dealt: what those at hand and in use
    /// hold, and what memory does.
    #[must_use]
    pub(crate) fn is_roomy(&self, sight: &Sight) -> bool {
        let more = self.memory_segments * self.shards;
        let received = self.segments(sight.at_hand + self.shards + more);
        let dealt = sight.promised.map_or(0, |promised| promised.saturating_add(to_deal(received)));
        let wanted = dealt.saturating_add(self.segments(more));
        self.reserve.bytes() == 0 || self.reserve.admits(&sight.room, wanted)
    }

    /// What is to be seen while a segment is being made, of which statfs may show nothing yet.
    #[must_use]
    pub(crate) const fn beside_one(&self, sight: &Sight) -> Sight {
        let mut sight = *sight;
        sight.room.available_bytes = sight.room.available_bytes.saturating_sub(self.segment_bytes);
        sight.at_hand += 1;
        sight
    }

    /// What must be free for one batch more.
    fn least(&self, sight: &Sight) -> u64 {
        self.reserve.bytes().saturating_add(self.beside_reserve(sight))
    }

    /// What dealing takes, of everything received and one batch more.
    fn beside_reserve(&self, sight: &Sight) -> u64 {
        sight.promised.map_or(0, |promised| promised.saturating_add(to_deal(self.batch_bytes)))
    }

    const fn segments(&self, number: usize) -> u64 {
        self.segment_bytes.saturating_mul(number as u64)
    }
}

#[cfg(test)]
mod tests;
