//! The one owner of deletions/ in a process: deleting and the dealer's beginning of an epoch exclude each
//! other, so that a deletion that the dealer did not see lies behind the epoch being dealt.

use tokio::sync::Mutex;

use super::cut::cut;
use super::file::publish;
use super::set::Deletions;
use crate::error::Result;
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::Layout;
use crate::format::names::SegmentName;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, DiskResult, Transfer};
use crate::raw_log::live::LiveView;
use crate::raw_log::tails::Tails;

/// Deletes indexes, and tells the dealer which are deleted. Shared by the manager and the background jobs.
#[derive(Debug, Default)]
pub struct DeletionLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    // `None`: not read yet, or not known any more since a write failed.
    known: Option<Deletions>,
    tails: Tails,
}

// Times that the raw log is looked at again because a file moved meanwhile: it does once an epoch.
const LOOKS_MAX: usize = 10;

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
        let mut state = self.0.lock().await;
        let known = state.take(disk, layout).await?;
        state.known = Some(known.clone());
        Ok(known)
    }

    /// Deletes an index: all its records that are acknowledged now are gone when this returns, durably, and
    /// never come back. What is written afterwards starts it anew. An index that isn't there can be deleted
    /// too: its first records may still be in the raw log. Returns the first position not covered.
    ///
    /// # Errors
    /// The disk's; the deletion may then hold or not, and may be repeated.
    pub async fn delete<D: Disk>(&self, disk: &D, layout: &Layout, code: &IndexCode) -> Result<Position> {
        let mut state = self.0.lock().await;
        let mut known = state.take(disk, layout).await?;
        // In this order: what had left raw/live/ by the first look is before the checkpoint.
        let end = state.log_end(disk, layout).await?;
        let checkpoint = Checkpoint::read(disk, layout).await?.next()?;
        let before = cut(end, checkpoint, newest_segment(disk, layout, code).await?);
        let before = known.position(code).map_or(before, |earlier| earlier.max(before));
        publish(disk, layout, code, before).await?;
        known.insert(code.clone(), before);
        state.known = Some(known);
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
        let mut state = self.0.lock().await;
        let mut known = state.take(disk, layout).await?;
        let prune = known.position(code) == Some(before);
        if prune {
            disk.remove_file(&layout.deletion(code)).await?;
            disk.sync_folder(&layout.deletions()).await?;
            known.remove(code);
        }
        state.known = Some(known);
        Ok(prune)
    }
}

impl State {
    /// What is known, to be put back when what follows has succeeded: if it fails (or the caller is dropped)
    /// half-way, nobody knows what the disk shows, and whoever is next reads it afresh.
    async fn take<D: Disk>(&mut self, disk: &D, layout: &Layout) -> Result<Deletions> {
        match self.known.take() {
            Some(known) => Ok(known),
            None => Deletions::load(disk, layout).await,
        }
    }

    async fn log_end<D: Disk>(&mut self, disk: &D, layout: &Layout) -> Result<Option<Position>> {
        let mut looks = 0;
        loop {
            let view = LiveView::look(disk, layout, Transfer::Cached).await?;
            looks += 1;
            match self.tails.next_position(disk, &view).await {
                Err(error) if error.is_not_found() && looks < LOOKS_MAX => {}
                result => return result,
            }
        }
    }
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
