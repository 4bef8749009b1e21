//! Which epochs are dealt, when the checkpoint does not tell.
//!
//! This host sets the checkpoint before it moves a dealt epoch to history, and replaces the file in one step. The
//! original truncates it before it writes, and moves the segment first. So a tree that the original left may have
//! an empty checkpoint, or one that names an epoch which is in history already: reading by it would pass over
//! that epoch's dealt segments and find it nowhere else.
//!
//! What is in history is dealt, so the checkpoint lies behind it (or, if history was pruned, behind the segments of
//! indexes that are older than anything live). What is in `raw/live/` behind that may be dealt or not: it counts as
//! not dealt, and is dealt again. That is harmless: a segment dealt again has the same name
//! and records, and if it was merged already, applying a stretch of the log to a state that includes it ends in
//! the same state.

use crate::error::Result;
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{RawName, SegmentName};
use crate::ids::Epoch;
use crate::io::disk::{Disk, EntryKind, Transfer};
use crate::raw_log::read::live::{LiveView, raw_names};
use crate::store::Store;

/// Mends the checkpoint where the original left it torn or behind, and returns what it says now. To be called
/// under dealer.lock, before anything is dealt or read.
///
/// # Errors
/// The disk's.
pub(crate) async fn repair<D: Disk>(store: &Store<D>) -> Result<Epoch> {
    let stored = Checkpoint::read(store).await?;
    let next = next_to_deal(store, &stored).await?;
    let untouched = match stored {
        Checkpoint::At(epoch) => epoch == next,
        Checkpoint::Missing => next == Epoch::ZERO,
        Checkpoint::Unreadable(_) => false,
    };
    if !untouched {
        Checkpoint::advance(store, next).await?;
    }
    Ok(next)
}

/// The next epoch to deal, by the checkpoint and by what else is on disk.
///
/// # Errors
/// The disk's.
pub(crate) async fn next_to_deal<D: Disk>(store: &Store<D>, stored: &Checkpoint) -> Result<Epoch> {
    let history = raw_names(store, &store.layout().raw_history()).await?;
    if let Checkpoint::At(next) = stored {
        let legacy = history.iter().filter(|name| matches!(name, RawName::Legacy(_)));
        let behind = legacy.filter_map(|name| name.epoch()).max().map_or(Epoch::ZERO, Epoch::next);
        return Ok(behind.max(*next));
    }
    let archived = history.iter().filter_map(|name| name.epoch()).max();
    let dealt = match archived {
        Some(archived) => Some(archived),
        // History is pruned, or nothing was ever dealt. Not simply what is live: an epoch may still be on its way.
        None => {
            let live = LiveView::look(store, Transfer::Cached).await?;
            let before = live.epochs.first_key_value().map_or(Epoch::MAX, |(first, _)| *first);
            greatest_segment(store, before).await?
        }
    };
    Ok(dealt.map_or(Epoch::ZERO, Epoch::next))
}

/// The greatest time of a segment of any index before `before`.
async fn greatest_segment<D: Disk>(store: &Store<D>, before: Epoch) -> Result<Option<Epoch>> {
    let mut greatest = None;
    for index in
        store.list(&store.layout().indexes()).await?.iter().filter(|entry| entry.kind == EntryKind::Folder)
    {
        for folder in ["segments", "optimized"] {
            let entries = store.list(&store.layout().indexes().join(&index.name).join(folder)).await?;
            let times =
                entries.iter().filter_map(|entry| SegmentName::parse(&entry.name)).map(|name| name.time);
            greatest = greatest.max(times.filter(|time| *time < before).max());
        }
    }
    Ok(greatest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_log::test_support::{LegacyBytes, SegmentBytes, epoch, layout};
    use crate::testing::store;
    use crate::testing::{MemDisk, run};

    /// A disk with this checkpoint, and files named by what they are.
    fn disk(checkpoint: Option<&[u8]>, files: &[&str]) -> MemDisk {
        let disk = MemDisk::new();
        disk.put("/data/safe_to_read", b"");
        if let Some(bytes) = checkpoint {
            disk.put(layout().checkpoint(), bytes);
        }
        for file in files {
            let bytes = match RawName::parse(file.rsplit_once('/').unwrap().1) {
                Some(RawName::Segment { epoch, shard, .. }) => {
                    SegmentBytes::new(epoch.millis(), shard.0, 0, 8).frame(0, 1).sealed(1).full(0)
                }
                _ => LegacyBytes::new().record(b"a", 1).bytes,
            };
            disk.put(layout().data().join(file), &bytes);
        }
        disk
    }

    fn repaired(checkpoint: Option<&[u8]>, files: &[&str]) -> u64 {
        let disk = disk(checkpoint, files);
        let next = run(repair(&store(&disk, &layout()))).unwrap();
        assert_eq!(run(repair(&store(&disk, &layout()))).unwrap(), next, "twice");
        let stored = run(Checkpoint::read(&store(&disk, &layout()))).unwrap();
        assert_eq!(stored.next().unwrap(), next);
        next.millis()
    }

    #[test]
    fn a_checkpoint_that_tells_is_left_alone() {
        assert_eq!(repaired(Some(b"7"), &["raw/history/5.raw", "raw/live/7.raw"]), 7);
        assert_eq!(repaired(Some(b"7"), &["raw/history/5-0-0.rawlog", "indexes/m/segments/x"]), 7);
        let fresh = disk(None, &[]);
        assert_eq!(run(repair(&store(&fresh, &layout()))).unwrap(), Epoch::ZERO);
        assert_eq!(fresh.get(layout().checkpoint()), None, "nothing to write down");
    }

    #[test]
    fn what_the_original_archived_before_saying_so_is_dealt() {
        assert_eq!(repaired(Some(b"7"), &["raw/history/7.raw", "raw/live/9.raw"]), 8);
    }

    #[test]
    fn an_empty_or_missing_checkpoint_lies_behind_history_and_before_what_is_live() {
        for lost in [Some(&b""[..]), Some(b"garbage"), None] {
            assert_eq!(repaired(lost, &["raw/history/5.raw", "raw/live/7.raw", "raw/live/9.raw"]), 6);
            assert_eq!(
                repaired(lost, &["raw/history/5-0-0.rawlog", "raw/live/5-1-0.rawlog"]),
                6,
                "half archived"
            );
            assert_eq!(
                repaired(lost, &["raw/live/7.raw", "indexes/m/segments/1970.01.01-00.00.00.006.sorted_1"]),
                7
            );
            let drained = [
                "indexes/m/segments/1970.01.01-00.00.00.006.sorted_1",
                "indexes/k/optimized/1970.01.01-00.00.00.008.optimized_1",
            ];
            assert_eq!(repaired(lost, &drained), 9);
        }
        assert_eq!(epoch(repaired(Some(b""), &[])), Epoch::ZERO);
        let never_dealt = disk(None, &["raw/live/7-0-0.rawlog"]);
        assert_eq!(
            run(repair(&store(&never_dealt, &layout()))).unwrap(),
            Epoch::ZERO,
            "an earlier one may be on its way"
        );
    }
}
