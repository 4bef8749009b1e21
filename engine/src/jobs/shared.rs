//! What background work shares with other threads.

use tokio::sync::Notify;

use super::queue::OptimizationQueue;
use super::stats::JobStats;
use crate::deletions::DeletionLog;

/// What background work shares with the manager, the shards and the metrics, behind one `Arc`.
#[derive(Debug, Default)]
pub struct Shared {
    /// Deletes indexes.
    pub deletions: DeletionLog,
    /// Which index is optimized next.
    pub queue: OptimizationQueue,
    /// Numbers about background work.
    pub stats: JobStats,
    deal: Notify,
    tend: Notify,
}

impl Shared {
    /// Nothing deleted or enqueued yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
