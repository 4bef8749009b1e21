use std::collections::BTreeMap;

use logtank_wire::info::QueueScore;

use super::ManagerError;
use crate::ids::IndexCode;
use crate::io::disk::Disk;
use crate::jobs::queue::{Enqueued, Urgency};
use crate::jobs::shared::Shared;
use crate::store::Store;

/// What `enqueue_for_optimization` does: lower `priority` goes first, then higher `score`. An index that has
/// nothing dealt has nothing to optimize: it is not enqueued, and not created.
///
/// # Errors
/// If `index_code` is no index code, or the disk's.
pub async fn enqueue_for_optimization<D: Disk>(
    store: &Store<D>,
    shared: &Shared,
    index_code: &[u8],
    priority: i32,
    score: f64,
) -> Result<Enqueued, ManagerError> {
    let code = IndexCode::new(index_code)?;
    let enqueued = shared.queue.enqueue(store, &code, Urgency { priority, score }).await?;
    match enqueued {
        Enqueued::Added | Enqueued::Replaced => shared.wake_optimizer(),
        Enqueued::Kept | Enqueued::Unknown => {}
    }
    Ok(enqueued)
}

/// What `get_optimization_queue` answers: the indexes that wait for their optimization or are being optimized.
#[must_use]
pub fn get_optimization_queue(shared: &Shared) -> BTreeMap<IndexCode, QueueScore> {
    let score = |urgency: Urgency| QueueScore { priority: urgency.priority, score: urgency.score };
    shared.queue.snapshot().into_iter().map(|(code, urgency)| (code, score(urgency))).collect()
}

/// What `delete_index` does: all that was acknowledged before it is gone when this returns, durably. Harmless for an
/// index that isn't there.
///
/// # Errors
/// If `index_code` is no index code, or the disk's: the index may then be deleted or not, and the call may be
/// repeated.
pub async fn delete_index<D: Disk>(
    store: &Store<D>,
    shared: &Shared,
    index_code: &[u8],
) -> Result<(), ManagerError> {
    let code = IndexCode::new(index_code)?;
    shared.deletions.delete(store, &code).await?;
    shared.queue.forget(&code);
    Ok(())
}
