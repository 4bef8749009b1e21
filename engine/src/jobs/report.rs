//! What background work tells whoever logs and counts; the engine itself does neither.

use super::cleaner::Cleaned;
use super::dealer::Dealt;
use super::history::Pruned;
use crate::error::{Corruption, Error};
use crate::ids::{Epoch, IndexCode};

/// One thing that background work did or met.
#[derive(Debug)]
pub enum Report {
    /// An epoch was dealt.
    Dealt(Dealt),
    /// Dealing stands still at this epoch, because of damage; told once for each damage.
    Blocked {
        /// The epoch.
        epoch: Epoch,
        /// What is damaged, and where.
        corruption: Corruption,
    },
    /// Dealing goes on: the damage told of before is repaired.
    Unblocked,
    /// A raw segment from before the checkpoint that nothing proves to be dealt; told once while it is there.
    Stray(Corruption),
    /// An epoch has been closed for minutes and is still not complete, and those after it wait; told once for each.
    Incomplete {
        /// The epoch.
        epoch: Epoch,
    },
    /// That epoch is complete, or gone.
    Complete,
    /// A job would take of the room that is kept free, so it waits; told once until there is room for all again.
    NoRoom {
        /// What waits, as in "deal".
        job: &'static str,
        /// Bytes that it may take.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// No job waits for room any more.
    Room,
    /// An index was sorted.
    Sorted {
        /// The index.
        code: IndexCode,
        /// Records of the new segment.
        records: u64,
    },
    /// An index was optimized.
    Optimized {
        /// The index.
        code: IndexCode,
        /// Records of the new segment.
        records: u64,
    },
    /// A round of cleaning removed something.
    Cleaned(Cleaned),
    /// Files of raw/history/ were given up.
    Pruned(Pruned),
    /// Damage that was found in an index and did no harm, since it could be mended or passed over.
    Damage {
        /// The index.
        code: IndexCode,
        /// What is damaged, and where.
        corruption: Corruption,
    },
    /// Something in the tree that does not belong there and is passed over; told once while it is there.
    Foreign(Corruption),
    /// A segment of an index is gone, and nothing else holds its records; told once. The index can't be recovered.
    Gone {
        /// The index.
        code: IndexCode,
        /// The segment, and what its sidecar tells.
        corruption: Corruption,
    },
    /// Work on one index failed; the others go on, and it is tried again later.
    IndexFailed {
        /// What was being done, as in "sort".
        job: &'static str,
        /// The index.
        code: IndexCode,
        /// Why.
        error: Error,
    },
    /// A step failed; it is tried again later.
    Failed {
        /// What was being done, as in "deal".
        job: &'static str,
        /// Why.
        error: Error,
    },
    /// Dealing fails again and again; it is tried all the same.
    DealingFails {
        /// Why.
        why: String,
    },
    /// Dealing works again.
    DealingWorks,
    /// A sync failed: nothing is known any more of what was written before it, so all background work stands
    /// still until the next start. The last thing that is told.
    Halted {
        /// What was being done, as in "deal".
        job: &'static str,
        /// Why.
        error: Error,
    },
}
