//! What a step of dealing did.

use crate::error::Corruption;
use crate::ids::{Epoch, IndexCode};

/// What a step of dealing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The oldest complete epoch is dealt; there may be more.
    Dealt(Dealt),
    /// No epoch is complete.
    Nothing,
    /// The oldest epoch is complete, but dealing it would take of the room that is kept free.
    NoRoom {
        /// The epoch.
        epoch: Epoch,
        /// Bytes that dealing it may take.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// The oldest epoch can't be dealt whole, so it stays where it is, and those after it wait. Nothing of it
    /// counts as dealt. The disk is looked at afresh each time: once its files are repaired, it is dealt.
    Blocked {
        /// The epoch.
        epoch: Epoch,
        /// What is damaged, and where.
        corruption: Corruption,
    },
}

/// How an epoch was dealt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealt {
    /// The epoch.
    pub epoch: Epoch,
    /// What each index got, by code.
    pub indexes: Vec<DealtIndex>,
    /// Records that were dropped because their index was deleted after them.
    pub deleted_records: u64,
    /// Records with neither docid nor content, which were dropped.
    pub empty_records: u64,
    /// Records that belong to no index (no valid index_code, or content without docid): set aside, as they
    /// were received, in rejected/ under the epoch's time.
    pub rejected_records: u64,
    /// Indexes whose deletion is unreadable, so that none of their records was dropped.
    pub unreadable_deletions: Vec<Corruption>,
    /// Passes over the epoch; 0 if it was empty.
    pub passes: u64,
    /// Raw files moved to history.
    pub archived_files: u64,
}

/// What one index got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealtIndex {
    /// The index.
    pub code: IndexCode,
    /// Records of its new segment.
    pub records: u64,
    /// Length of its new segment.
    pub bytes: u64,
}

/// What waits to be dealt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// The next epoch to deal is this one or a later one.
    pub checkpoint: Epoch,
    /// Epochs that are closed, complete or not.
    pub epochs: u64,
    /// Bytes of their records, as they stand in raw segments.
    pub bytes: u64,
    /// What their files take of the drive, in bytes: a segment has its whole length from the beginning.
    pub file_bytes: u64,
    /// What dealing them, and the epoch that is open, may take at most, in bytes.
    pub needed_bytes: u64,
    /// What dealing all that is sealed may take, in bytes, with the last blocks of what each index gets. What was
    /// dealt since is not in it.
    pub sealed_needed_bytes: u64,
    /// Those blocks of one epoch, as far as is known.
    pub epoch_needed_bytes: u64,
    /// The oldest of them.
    pub oldest: Option<Epoch>,
}

impl Dealt {
    pub(super) const fn of(epoch: Epoch) -> Self {
        Self {
            epoch,
            indexes: Vec::new(),
            deleted_records: 0,
            empty_records: 0,
            rejected_records: 0,
            unreadable_deletions: Vec::new(),
            passes: 0,
            archived_files: 0,
        }
    }

    /// Records that indexes got.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.indexes.iter().map(|index| index.records).sum()
    }

    /// Bytes that indexes got.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.indexes.iter().map(|index| index.bytes).sum()
    }
}
