//! Removes what deletions cover (decision page 4).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Cleaned;
use super::files::{Files, remove_segment, sync_folders};
use super::trash::throw_away;
use crate::deletion_log::DeletionLog;
use crate::error::Result;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, DiskResult};
use crate::store::Store;
use crate::time::{MonoNanos, Now};

/// A deletion is kept this long, so that page tokens from before it are recognized.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// A deletion that was carried out is looked at again after this time: a job that began before it may have
/// published something since, and it may be old enough to be forgotten.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);

/// Carries out deletions.
#[derive(Debug)]
pub(crate) struct Deleted<D> {
    store: Store<D>,
    carried_out: BTreeMap<IndexCode, (Position, MonoNanos)>,
}

impl<D: Disk> Deleted<D> {
    /// Nothing carried out yet, as far as this process knows.
    #[must_use]
    pub(crate) fn new(store: Store<D>) -> Self {
        Self { store, carried_out: BTreeMap::new() }
    }

    /// Removes segments from before their index's deletion, whole folders if nothing newer is there; and
    /// deletions that nothing needs any more: the checkpoint has passed them and they are a day old.
    ///
    /// Must not run beside the dealer or the sorter; beside readers and the optimizer it may.
    ///
    /// # Errors
    /// The disk's; calling again goes on.
    pub(crate) async fn carry_out(
        &mut self,
        deletions: &DeletionLog,
        checkpoint: Epoch,
        now: Now,
    ) -> Result<Cleaned> {
        let mut cleaned = Cleaned::default();
        let all = deletions.snapshot(&self.store).await?;
        for (code, before) in all.iter() {
            let done = self.carried_out.get(code).is_some_and(|(position, looked)| {
                *position == before && now.mono.since(*looked) < LOOK_AGAIN
            });
            if done {
                continue;
            }
            self.remove_before(code, before.epoch(), &mut cleaned).await?;
            if checkpoint > before.epoch() && self.age(code, now).await? >= Some(KEPT) {
                // What was removed must not come back when nothing tells any more that it is deleted.
                sync_folders(&self.store, code).await?;
                cleaned.deletions += u64::from(deletions.prune(&self.store, code, before).await?);
            }
            self.carried_out.insert(code.clone(), (before, now.mono));
        }
        self.carried_out.retain(|code, _| all.position(code).is_some());
        Ok(cleaned)
    }

    /// Removes the index's folder if nothing is in it that anybody could need: a read of the original leaves
    /// such folders, even for an index that never was.
    ///
    /// Must not run beside the dealer or the sorter.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn remove_if_empty(&self, code: &IndexCode) -> Result<bool> {
        let files = Files::list(&self.store, code).await?;
        if files != Files::default() {
            return Ok(false);
        }
        self.store.remove(&self.store.layout().last_read(code)).await?;
        for folder in [
            self.store.layout().segments(code),
            self.store.layout().optimized(code),
            self.store.layout().index(code),
        ] {
            // Fails if there is something in it after all, and that is well.
            match self.store.disk().remove_folder(&folder).await {
                Err(error) if error.source.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                    return Ok(false);
                }
                Err(error) if error.is_not_found() => {}
                result => result?,
            }
        }
        Ok(true)
    }

    async fn remove_before(&self, code: &IndexCode, epoch: Epoch, cleaned: &mut Cleaned) -> DiskResult<()> {
        let files = Files::list(&self.store, code).await?;
        let old = files.segments.iter().filter(|name| name.time < epoch);
        if files.segments.iter().all(|name| name.time < epoch) {
            let folder = self.store.layout().index(code);
            if self.store.disk().metadata(&folder).await?.is_some() {
                cleaned.folders += u64::from(throw_away(&self.store, &folder).await?);
            }
            return Ok(());
        }
        for name in old {
            if let Some(bytes) = remove_segment(&self.store, code, *name).await? {
                cleaned.deleted += 1;
                cleaned.bytes += bytes;
            }
        }
        Ok(())
    }

    async fn age(&self, code: &IndexCode, now: Now) -> DiskResult<Option<Duration>> {
        let metadata = self.store.disk().metadata(&self.store.layout().deletion(code)).await?;
        Ok(metadata.map(|metadata| Duration::from_millis(now.wall.0.saturating_sub(metadata.modified.0))))
    }
}
