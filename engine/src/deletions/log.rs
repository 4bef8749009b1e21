//! The one owner of deletions/ in a process: deleting and the dealer's beginning of an epoch exclude each
//! other, so that a deletion that the dealer did not see lies behind the epoch being dealt.

use tokio::sync::Mutex;

use super::cut::{LogEnd, cut};
use super::file::publish;
use super::set::Deletions;
use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::names::SegmentName;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, DiskResult};

/// Deletes indexes, and tells the dealer which are deleted. Shared by the manager and the background jobs.
#[derive(Debug, Default)]
pub struct DeletionLog {
    // `None`: not read yet, or not known any more since a write failed.
    known: Mutex<Option<Deletions>>,
}

impl DeletionLog {
    /// Reads nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All deletions made so far. The dealer asks after it has seen that an epoch is complete.
    ///
    /// # Errors
    /// The disk's.
    pub async fn snapshot<D: Disk>(&self, disk: &D, layout: &Layout) -> Result<Deletions> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = Some(Deletions::load(disk, layout).await?);
        }
        Ok(known.clone().expect("just loaded"))
    }

    /// Deletes an index: all its records that are acknowledged now are gone when this returns, durably, and
    /// never come back. What is written afterwards starts it anew. An index that isn't there can be deleted
    /// too: its first records may still be in the raw log. Returns the first position not covered.
    ///
    /// # Errors
    /// The disk's; the deletion may then hold or not, and may be repeated.
    pub async fn delete<D: Disk>(&self, disk: &D, layout: &Layout, code: &IndexCode) -> Result<Position> {
        let mut known = self.known.lock().await;
        let mut all = match known.take() {
            Some(all) => all,
            None => Deletions::load(disk, layout).await?,
        };
        // In this order: what has left raw/live/ before the first look is before the checkpoint.
        let (end, dealt_before) = look(disk, layout).await?;
        let before = cut(end, dealt_before, newest_segment(disk, layout, code).await?);
        let before = all.position(code).map_or(before, |earlier| earlier.max(before));
        // From here until it is durable nobody knows what the disk will show after a crash: on an error
        // `known` stays empty, and whoever is next reads it afresh.
        publish(disk, layout, code, before).await?;
        all.insert(code.clone(), before);
        *known = Some(all);
        Ok(before)
    }

    /// Forgets a deletion that has done its work, unless a later one has replaced it. The caller has seen
    /// that nothing before `before` is left, neither in the raw log nor among the index's segments. Returns
    /// whether the file was removed.
    ///
    /// # Errors
    /// The disk's.
    pub async fn prune<D: Disk>(
        &self,
        disk: &D,
        layout: &Layout,
        code: &IndexCode,
        before: Position,
    ) -> Result<bool> {
        let mut known = self.known.lock().await;
        let mut all = match known.take() {
            Some(all) => all,
            None => Deletions::load(disk, layout).await?,
        };
        let prune = all.position(code) == Some(before);
        if prune {
            disk.remove_file(&layout.deletion(code)).await?;
            disk.sync_folder(&layout.deletions()).await?;
            all.remove(code);
        }
        *known = Some(all);
        Ok(prune)
    }
}

async fn look<D: Disk>(_disk: &D, _layout: &Layout) -> Result<(Option<LogEnd>, Epoch)> {
    unimplemented!("joins raw_log::live")
}

/// Greatest time of the segments of an index.
async fn newest_segment<D: Disk>(disk: &D, layout: &Layout, code: &IndexCode) -> DiskResult<Option<Epoch>> {
    let mut newest = None;
    for folder in [layout.segments(code), layout.optimized(code)] {
        match disk.list(&folder).await {
            Ok(entries) => {
                let times =
                    entries.iter().filter_map(|entry| SegmentName::parse(&entry.name)).map(|name| name.time);
                newest = newest.max(times.max());
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}
