//! What background work shares with other threads.

use std::sync::Arc;

use tokio::sync::Notify;

use super::queue::{Enqueued, OptimizationQueue, Urgency};
use super::stats::JobStats;
use crate::deletion_log::DeletionLog;
use crate::error::Result;
use crate::ids::{IndexCode, Position};
use crate::io::disk::Disk;
use crate::room::ledger::Ledger;
use crate::store::Store;

/// What background work shares with the manager, the shards and the metrics, behind one `Arc`.
#[derive(Debug, Default)]
pub struct Shared {
    /// Deletes indexes.
    pub deletions: DeletionLog,
    /// Which index is optimized next.
    pub queue: OptimizationQueue,
    /// Numbers about background work.
    pub stats: JobStats,
    /// What was received and is to be dealt.
    pub ledger: Arc<Ledger>,
    deal: Notify,
    tend: Notify,
}

impl Shared {
    /// Nothing deleted or enqueued yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enqueues an index for its optimization, if there is one of this name; creates nothing.
    ///
    /// # Errors
    /// If the disk can't say whether the index exists.
    pub async fn enqueue<D: Disk>(
        &self,
        store: &Store<D>,
        code: &IndexCode,
        urgency: Urgency,
    ) -> Result<Enqueued> {
        let enqueued = self.queue.enqueue(store, code, urgency).await?;
        self.wake_optimizer();
        Ok(enqueued)
    }

    /// Deletes an index: see [`DeletionLog::delete`]. Its files are removed by the background soon after.
    ///
    /// # Errors
    /// The disk's; the deletion may then hold or not, and may be repeated.
    pub async fn delete<D: Disk>(&self, store: &Store<D>, code: &IndexCode) -> Result<Position> {
        let before = self.deletions.delete(store, code).await?;
        self.queue.forget(code);
        Ok(before)
    }

    /// There may be an epoch to deal: don't wait for the next look.
    pub fn wake_dealer(&self) {
        self.deal.notify_one();
    }

    /// There may be an index to optimize: don't wait for the next look.
    pub fn wake_optimizer(&self) {
        self.tend.notify_one();
    }

    /// Everything that sleeps looks around: for instance whether it is to stop.
    pub fn wake(&self) {
        self.wake_dealer();
        self.wake_optimizer();
    }

    pub(super) async fn dealer_woken(&self) {
        self.deal.notified().await;
    }

    pub(super) async fn optimizer_woken(&self) {
        self.tend.notified().await;
    }
}
