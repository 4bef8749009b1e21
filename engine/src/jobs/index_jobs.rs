//! What jobs do with one index.

use super::optimizer::{self, Optimized};
use super::sorter::{self, Sorted};
use crate::error::Result;
use crate::index_log::index_store::IndexStore;
use crate::io::disk::Disk;
use crate::limits::Limits;
use crate::room::ledger::Promise;

impl<D: Disk> IndexStore<'_, D> {
    /// Sorts the index now: its unsorted segments, into one named by the first's time.
    ///
    /// No other sort of this index may run at the same time; dealing, optimizing, cleaning and reading may.
    ///
    /// # Errors
    /// The disk's: "not found" if the index was deleted meanwhile. Corruption, if an input can't be read whole:
    /// then nothing is removed. After a failed fsync the job must not be run again before the next start, since
    /// what was published may not be durable.
    pub async fn sort(&self, limits: &Limits) -> Result<Sorted> {
        sorter::sort(self, limits).await
    }

    /// Optimizes the index: merges its optimized segment and the sorted ones after it, at most 40 in all, from the oldest
    /// on. Unsorted segments are left alone: sort before, as the original does. Of the room that was promised for it, if any,
    /// what is written is promised no more.
    ///
    /// No other optimization of this index may run at the same time; dealing, sorting, cleaning and reading may.
    ///
    /// # Errors
    /// The disk's: "not found" if the index was deleted meanwhile. Corruption, if an input can't be read whole:
    /// then nothing is published.
    pub async fn optimize(&self, limits: &Limits, promise: Option<Promise>) -> Result<Optimized> {
        optimizer::optimize(self, limits, promise).await
    }
}
