//! The one owner of deletions/ in a process: deleting and the dealer's beginning of an epoch exclude each
//! other, so that a deletion that the dealer did not see lies behind the epoch being dealt.

mod cut;

use tokio::sync::Mutex;

use self::cut::cut;
use crate::deletions::archive::{self, ArchivedName};
use crate::deletions::{Deletions, publish};
use crate::error::{DiskError, Error, Result, Verb};
use crate::format::checkpoint::Checkpoint;
use crate::format::names::SegmentName;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, DiskResult, Transfer};
use crate::mutant::or_bug;
use crate::raw_log::read::live::LiveView;
use crate::raw_log::read::tails::Tails;
use crate::store::Store;

/// Deletes indexes, and tells the dealer which are deleted. Shared by the manager and the background jobs.
#[derive(Debug, Default)]
pub struct DeletionLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    // `None`: not read yet, or not known any more since a write failed.
    known: Option<Deletions>,
    tails: Tails,
    // All that is known is kept with history too.
    archived: bool,
    // A sync failed: what is visible may not be durable, and syncing again would prove nothing.
    lost_track: bool,
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
    pub async fn snapshot<D: Disk>(&self, store: &Store<D>) -> Result<Deletions> {
        let mut state = self.0.lock().await;
        let known = state.take(store).await?;
        // A full drive must not keep the dealer from dealing: then it is done the next time.
        match state.archive(store, &known).await {
            Err(error) if error.is_failed_sync() => return Err(error),
            _ => {}
        }
        state.known = Some(known.clone());
        Ok(known)
    }

    /// Deletes an index: all its records that are acknowledged now are gone when this returns, durably, and
    /// never come back. What is written afterwards starts it anew. An index that isn't there can be deleted
    /// too: its first records may still be in the raw log. Returns the first position not covered.
    ///
    /// # Errors
    /// The disk's; the deletion may then hold or not, and may be repeated.
    pub async fn delete<D: Disk>(&self, store: &Store<D>, code: &IndexCode) -> Result<Position> {
        let mut state = self.0.lock().await;
        let mut known = state.take(store).await?;
        // In this order: what had left raw/live/ by the first look is before the checkpoint.
        let end = or_bug!(DeletionOfDealt, state.log_end(store).await?, None);
        let checkpoint = Checkpoint::read(store).await?.next()?;
        let before = cut(end, checkpoint, newest_segment(store, code).await?);
        let earlier = known.position(code);
        let before = earlier.map_or(before, |earlier| earlier.max(before));
        if let Err(error) = publish(store, code, before).await {
            state.lost_track |= error.is_failed_sync();
            return Err(error.into());
        }
        // Behind that: an index that is still there must not be gone in what is restored.
        if let Err(error) = archive::keep(store, &ArchivedName { before, code: code.clone() }).await {
            state.lost_track |= error.is_failed_sync();
            return Err(error);
        }
        if let Some(earlier) = earlier.filter(|earlier| *earlier < before) {
            // What is left of it says less than this one; a failure costs nothing.
            let _ = archive::forget(store, &ArchivedName { before: earlier, code: code.clone() }).await;
        }
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
    pub async fn prune<D: Disk>(&self, store: &Store<D>, code: &IndexCode, before: Position) -> Result<bool> {
        let mut state = self.0.lock().await;
        let mut known = state.take(store).await?;
        let prune = known.position(code) == Some(before);
        if prune {
            state.archive(store, &known).await?;
            store.disk().remove_file(&store.layout().deletion(code)).await?;
            store.disk().sync_folder(&store.layout().deletions()).await?;
            known.remove(code);
        }
        state.known = Some(known);
        Ok(prune)
    }
}

impl State {
    /// What is known, to be put back when what follows has succeeded: if it fails (or the caller is dropped)
    /// half-way, nobody knows what the disk shows, and whoever is next reads it afresh.
    async fn take<D: Disk>(&mut self, store: &Store<D>) -> Result<Deletions> {
        if self.lost_track {
            let source =
                std::io::Error::other("a sync failed here before; restart to find out what is durable");
            // A failed sync to whoever asks, so that background work halts and says so, instead of trying for ever.
            return Err(DiskError::new(Verb::Fsync, &store.layout().deletions(), source).into());
        }
        match self.known.take() {
            Some(known) => Ok(known),
            None => {
                archive::take_over(store).await?;
                self.archived = false;
                Deletions::load(store).await
            }
        }
    }

    /// Keeps with history what is not kept yet.
    async fn archive<D: Disk>(&mut self, store: &Store<D>, known: &Deletions) -> Result<()> {
        if !self.archived {
            let kept = archive::keep_all(store, known).await;
            self.lost_track |= kept.as_ref().is_err_and(Error::is_failed_sync);
            kept?;
            self.archived = true;
        }
        Ok(())
    }

    async fn log_end<D: Disk>(&mut self, store: &Store<D>) -> Result<Option<Position>> {
        let look = async || {
            let view = LiveView::look(store, Transfer::Cached).await?;
            Ok(Some(self.tails.next_position(store.disk(), &view).await?))
        };
        // What is not found was moved while it was looked at: that happens once an epoch.
        store.settle(&store.layout().raw_live(), look).await
    }
}

/// Greatest time of the segments of an index.
async fn newest_segment<D: Disk>(store: &Store<D>, code: &IndexCode) -> DiskResult<Option<Epoch>> {
    let mut newest = None;
    for folder in [store.layout().segments(code), store.layout().optimized(code)] {
        let entries = store.list(&folder).await?;
        let times = entries.iter().filter_map(|entry| SegmentName::parse(&entry.name)).map(|name| name.time);
        newest = newest.max(times.max());
    }
    Ok(newest)
}

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod tests {
    use crate::testing::store;
    use std::cell::Cell;
    use std::path::Path;
    use std::rc::Rc;

    use super::*;
    use crate::deletions::load_one;
    use crate::format::layout::Layout;
    use crate::testing::{Hooked, MemDisk, RawEpoch, raw_record, run};

    fn layout() -> Layout {
        Layout::new(Path::new("/data"), None)
    }

    fn code() -> IndexCode {
        IndexCode::new(b"m").unwrap()
    }

    fn delete(disk: &MemDisk, log: &DeletionLog) -> (u64, u32) {
        let before = run(log.delete(&store(disk, &layout()), &code())).unwrap();
        assert_eq!(run(load_one(&store(disk, &layout()), &code())).unwrap(), Some(before));
        assert_eq!(run(log.snapshot(&store(disk, &layout()))).unwrap().position(&code()), Some(before));
        (before.epoch().millis(), before.ordinal())
    }

    #[test]
    fn each_deletion_covers_what_is_on_disk_and_not_what_comes() {
        let disk = MemDisk::new();
        disk.put("/data/raw/live/nothing", b"");
        let log = DeletionLog::new();
        assert_eq!(delete(&disk, &log), (0, 0), "nothing was ever received");
        let mut raw = RawEpoch::new(10, 1);
        raw.frame(0, &[raw_record("m", "d", None), raw_record("x", "d", None)]);
        raw.put(&store(&disk, &layout()), false);
        assert_eq!(delete(&disk, &log), (10, 2));
        assert_eq!(delete(&disk, &log), (10, 2), "again, with nothing in between");
        raw.frame(0, &[raw_record("m", "d", None)]);
        raw.put(&store(&disk, &layout()), false);
        assert_eq!(delete(&disk, &log), (10, 3));
        raw.put(&store(&disk, &layout()), true);
        assert_eq!(delete(&disk, &log), (11, 0));
        disk.put(layout().checkpoint(), b"15");
        assert_eq!(delete(&disk, &log), (15, 0));
    }

    #[test]
    fn pruning_leaves_a_later_deletion_alone() {
        let disk = MemDisk::new();
        disk.put(layout().checkpoint(), b"15");
        let log = DeletionLog::new();
        let before = run(log.delete(&store(&disk, &layout()), &code())).unwrap();
        disk.put(layout().checkpoint(), b"20");
        let later = run(log.delete(&store(&disk, &layout()), &code())).unwrap();
        assert!(!run(log.prune(&store(&disk, &layout()), &code(), before)).unwrap());
        assert!(run(log.prune(&store(&disk, &layout()), &code(), later)).unwrap());
        assert_eq!(run(load_one(&store(&disk, &layout()), &code())).unwrap(), None);
        assert_eq!(run(log.snapshot(&store(&disk, &layout()))).unwrap().iter().count(), 0);
    }

    #[test]
    fn an_error_is_forgotten_when_its_cause_is_gone_but_not_a_failed_sync() {
        let failing = Rc::new(Cell::new(None));
        let memory = MemDisk::new();
        memory.put(layout().checkpoint(), b"15");
        let disk = Hooked::new(memory, {
            let failing = failing.clone();
            move |call, path| {
                let fails = Some(call) == failing.get() && !path.ends_with("data");
                if fails { Err(DiskError::new(call, path, std::io::Error::other("!"))) } else { Ok(()) }
            }
        });
        let log = DeletionLog::new();
        for (call, heals) in [(Verb::Create, true), (Verb::Rename, true), (Verb::Fsync, false)] {
            failing.set(Some(call));
            assert!(run(log.delete(&store(&disk, &layout()), &code())).is_err(), "{call}");
            failing.set(None);
            let known = run(log.snapshot(&store(&disk, &layout())));
            assert_eq!(known.is_ok(), heals, "{call}");
            assert!(known.is_ok() || known.is_err_and(|error| error.is_failed_sync()), "the dealer halts");
        }
    }
}
