//! Keeps raw/history/ within its bounds.
//!
//! History is the backup: what it holds is dealt, and nothing here needs it. Its oldest epochs are given up
//! when they are too old, or when all files together are too long. An epoch's age is that of its name, as far as the clock
//! is believed. Deletions go when nothing is left that they concern.

mod age;

use std::collections::BTreeMap;

use self::age::Age;
use super::config::JobsConfig;
use crate::deletions::archive::{self, ArchivedName};
use crate::error::Result;
use crate::format::names::RawName;
use crate::ids::Epoch;
use crate::io::disk::{Disk, DiskResult, EntryKind, Transfer};
use crate::limits::Limits;
use crate::raw_log::files::spare::{self, Retired, retire};
use crate::raw_log::read::live::LiveView;
use crate::room::reserve::Reserve;
use crate::store::Store;
use crate::time::Now;

/// Files given up in one go, so that pruning a long history holds nobody up.
const STEP_FILES: usize = 64;

/// Files of history by epoch, with their lengths.
type Epochs = BTreeMap<Epoch, Vec<(RawName, u64)>>;

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether there is more to give up.
    pub more: bool,
}

/// Prunes raw/history/.
#[derive(Debug)]
pub(crate) struct History<D> {
    store: Store<D>,
    age: Option<Age>,
    bytes_max: Option<u64>,
    spares_max: usize,
    reserve: Reserve,
    // Files of history don't change, so each is measured once.
    lengths: BTreeMap<RawName, u64>,
}

impl<D: Disk> History<D> {
    /// Looks at nothing yet.
    #[must_use]
    pub(crate) fn new(store: Store<D>, limits: &Limits, config: &JobsConfig) -> Self {
        Self {
            store,
            age: config.history_age_max.map(Age::new),
            bytes_max: config.history_bytes_max,
            spares_max: config.spares_max,
            reserve: Reserve::new(limits.free_bytes_min),
            lengths: BTreeMap::new(),
        }
    }

    /// Gives up what exceeds the bounds, oldest epochs first, up to 64 files. Touches nothing that may not be
    /// dealt, and nothing that has no name of ours. Where room is scarce, nothing is kept for recycling.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn prune(&mut self, checkpoint: Epoch, now: Now) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        if self.age.is_none() && self.bytes_max.is_none() {
            return Ok(pruned);
        }
        let (epochs, deletions) = self.measure(checkpoint).await?;
        let spares_max = if self.is_scarce().await? { 0 } else { self.spares_max };
        let mut oldest_left = None;
        let too_old = self.age.as_mut().and_then(|age| age.newest_too_old(epochs.keys().copied(), now));
        let mut total: u64 = epochs.values().flatten().map(|(_, bytes)| bytes).sum();
        for (epoch, files) in epochs {
            if too_old.is_none_or(|newest| epoch > newest) && self.bytes_max.is_none_or(|most| total <= most)
            {
                oldest_left = Some(epoch);
                break;
            }
            for (name, bytes) in files {
                if pruned.files >= STEP_FILES as u64 {
                    pruned.more = true;
                    return Ok(pruned);
                }
                match retire(&self.store, name, spares_max).await? {
                    Retired::Spared | Retired::Deleted => {
                        pruned.files += 1;
                        pruned.bytes += bytes;
                    }
                    Retired::Gone => {}
                }
                self.lengths.remove(&name);
                total -= bytes;
            }
        }
        self.prune_deletions(deletions, checkpoint, oldest_left).await?;
        Ok(pruned)
    }

    /// Gives up the deletions that concern nothing of what is left.
    async fn prune_deletions(
        &self,
        deletions: Vec<ArchivedName>,
        checkpoint: Epoch,
        oldest: Option<Epoch>,
    ) -> Result<()> {
        let concerns = |name: &ArchivedName| {
            name.before.epoch() >= checkpoint || oldest.is_some_and(|oldest| oldest <= name.before.epoch())
        };
        let done: Vec<_> = deletions.into_iter().filter(|name| !concerns(name)).collect();
        if done.is_empty() {
            return Ok(());
        }
        // What is dealt may not have come to history yet.
        let live = LiveView::look(&self.store, Transfer::Cached).await?;
        for name in done.iter().filter(|name| live.epochs.range(..=name.before.epoch()).next().is_none()) {
            archive::forget(&self.store, name).await?;
        }
        Ok(())
    }

    /// Gives the room of what waits to be recycled back to the filesystem, where room is scarce; returns how many files.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn give_up_spares(&self) -> Result<u64> {
        Ok(if self.is_scarce().await? { spare::give_up(&self.store).await? } else { 0 })
    }

    async fn is_scarce(&self) -> DiskResult<bool> {
        Ok(self.reserve.is_scarce(&self.store.disk().space(&self.store.layout().raw_history()).await?))
    }

    /// The files of history by epoch, with their lengths; and the deletions.
    async fn measure(&mut self, checkpoint: Epoch) -> DiskResult<(Epochs, Vec<ArchivedName>)> {
        let entries = self.store.list(&self.store.layout().raw_history()).await?;
        let mut epochs = Epochs::new();
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            let Some(name) = RawName::parse(&entry.name) else { continue };
            let Some(epoch) = name.epoch().filter(|epoch| *epoch < checkpoint) else { continue };
            let bytes = match self.lengths.get(&name) {
                Some(bytes) => *bytes,
                None => match self.store.disk().metadata(&self.store.layout().history(name)).await? {
                    Some(metadata) => metadata.len,
                    None => continue,
                },
            };
            self.lengths.insert(name, bytes);
            epochs.entry(epoch).or_default().push((name, bytes));
        }
        Ok((epochs, archive::names(&entries)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::store;
    use std::path::Path;

    use std::time::Duration;

    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::{MemDisk, run};
    use crate::time::{MonoNanos, WallMillis};

    fn history(config: &JobsConfig) -> (MemDisk, History<MemDisk>) {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        for (name, length) in [
            ("100.raw", 10),
            ("200-0-0.rawlog", 20),
            ("200-1-0.rawlog", 20),
            ("200.lost", 5),
            ("300.raw", 10),
            ("x", 9),
        ] {
            disk.put(layout.raw_history().join(name), &vec![0; length]);
        }
        (disk.clone(), History::new(store(&disk, &layout), &Limits::default(), config))
    }

    fn left(disk: &MemDisk) -> Vec<String> {
        let entries = run(disk.list(Path::new("/data/raw/history"))).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    fn prune(history: &mut History<MemDisk>, checkpoint: u64, now: u64) -> Pruned {
        run(history.prune(
            Epoch::new(checkpoint).unwrap(),
            Now { wall: WallMillis(now), mono: MonoNanos(now.saturating_mul(1_000_000)) },
        ))
        .unwrap()
    }

    #[test]
    fn without_bounds_everything_is_kept() {
        let (disk, mut history) = history(&JobsConfig::keeping_history());
        assert_eq!(prune(&mut history, 1_000, u64::MAX), Pruned::default());
        assert_eq!(left(&disk).len(), 6);
    }

    #[test]
    fn what_is_too_old_goes_but_never_what_may_not_be_dealt() {
        let config =
            JobsConfig { history_age_max: Some(Duration::from_millis(400)), ..JobsConfig::keeping_history() };
        let (disk, mut history) = history(&config);
        assert_eq!(prune(&mut history, 1_000, 20).files, 0, "a clock that stepped back makes nothing old");
        assert_eq!(prune(&mut history, 1_000, 601), Pruned { files: 4, bytes: 55, more: false });
        assert_eq!(left(&disk), ["300.raw", "x"]);
        assert_eq!(prune(&mut history, 300, 9_000).files, 0);
        assert_eq!(left(&disk), ["300.raw", "x"]);
        assert!(disk.get("/data/raw/spare/200-0-0.rawlog").is_some(), "kept for recycling");
    }

    #[test]
    fn the_oldest_epochs_beyond_the_length_go_whole() {
        let config =
            JobsConfig { history_bytes_max: Some(50), spares_max: 0, ..JobsConfig::keeping_history() };
        let (disk, mut history) = history(&config);
        assert_eq!(prune(&mut history, 1_000, 0), Pruned { files: 4, bytes: 55, more: false });
        assert_eq!(left(&disk), ["300.raw", "x"]);
    }

    #[test]
    fn deletions_go_when_nothing_is_left_that_they_concern() {
        let config =
            JobsConfig { history_bytes_max: Some(50), spares_max: 0, ..JobsConfig::keeping_history() };
        let (disk, mut history) = history(&config);
        for name in ["150-0-m.deleted", "250-7-m.deleted", "300-0-m.deleted", "2000-0-m.deleted"] {
            disk.put(Path::new("/data/raw/history").join(name), b"");
        }
        let deletions = |disk: &MemDisk| {
            left(disk).into_iter().filter(|name| name.ends_with(".deleted")).collect::<Vec<_>>()
        };
        // What is dealt and still in raw/live/ comes to history yet.
        disk.put("/data/raw/live/240.raw", b"");
        assert_eq!(prune(&mut history, 1_000, 0).files, 4);
        assert_eq!(deletions(&disk), ["2000-0-m.deleted", "250-7-m.deleted", "300-0-m.deleted"]);
        run(disk.remove_file(Path::new("/data/raw/live/240.raw"))).unwrap();
        prune(&mut history, 1_000, 0);
        assert_eq!(deletions(&disk), ["2000-0-m.deleted", "300-0-m.deleted"]);
    }

    #[test]
    fn where_room_is_scarce_nothing_is_kept_for_recycling() {
        let config = JobsConfig { history_bytes_max: Some(50), ..JobsConfig::keeping_history() };
        let (disk, mut history) = history(&config);
        disk.put("/data/raw/spare/50-0-0.rawlog", b"x");
        assert_eq!(run(history.give_up_spares()).unwrap(), 0);
        disk.set_available_bytes(2 * Limits::default().free_bytes_min - 1);
        assert_eq!(run(history.give_up_spares()).unwrap(), 1);
        assert_eq!(prune(&mut history, 1_000, 0).files, 4);
        assert_eq!(run(disk.list(Path::new("/data/raw/spare"))).unwrap_or_default(), []);
    }
}
