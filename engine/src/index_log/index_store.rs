//! One index of a store: its segments as far as they count.

use super::chain::Chain;
use crate::error::Result;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::Disk;
use crate::store::Store;

/// Which segments of an index count, and which records of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The next epoch to deal: segments from it on don't count.
    pub checkpoint: Epoch,
    /// The position before which everything was deleted.
    pub deletion: Option<Position>,
}

impl Bounds {
    /// Everything counts: where nobody deals, and nothing was deleted.
    pub const ALL: Self = Self { checkpoint: Epoch::MAX, deletion: None };

    /// The first epoch whose segments count.
    #[must_use]
    pub fn begin(&self) -> Epoch {
        self.deletion.map_or(Epoch::ZERO, Position::epoch)
    }

    /// Whether segments of this epoch count.
    #[must_use]
    pub fn contain(&self, epoch: Epoch) -> bool {
        (self.begin()..self.checkpoint).contains(&epoch)
    }
}

/// One index of a store. Where its folders are missing, it is an index without segments.
#[derive(Debug)]
pub struct IndexStore<'s, D> {
    store: &'s Store<D>,
    code: &'s IndexCode,
    bounds: Bounds,
}

impl<'s, D> IndexStore<'s, D> {
    /// The index `code`, within `bounds`. Looks at nothing yet.
    #[must_use]
    pub const fn new(store: &'s Store<D>, code: &'s IndexCode, bounds: Bounds) -> Self {
        Self { store, code, bounds }
    }

    /// Where it is.
    #[must_use]
    pub const fn store(&self) -> &'s Store<D> {
        self.store
    }

    /// Which index it is.
    #[must_use]
    pub const fn code(&self) -> &'s IndexCode {
        self.code
    }
}

impl<D: Disk> IndexStore<'_, D> {
    /// What its segments are, and what follows what. Creates nothing, and needs no lock.
    ///
    /// # Errors
    /// The disk's.
    pub async fn chain(&self) -> Result<Chain> {
        Chain::look(self.store, self.code, self.bounds).await
    }
}
