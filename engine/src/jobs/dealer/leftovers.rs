//! What a dealing that did not end left behind: removed before it is done again, since the second time an
//! index may get fewer records, or none, if it was deleted meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{SIDECAR_SUFFIX, SegmentKind, SegmentName, TEMPORARY_PREFIX};
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::{Disk, Entry, EntryKind, Transfer};
use crate::raw_log::read::live::LiveView;
use crate::store::Store;

/// The epochs of which indexes may have segments that don't count, whole or in part: to be dealt, with their raw segments
/// there. Only meaningful while nobody deals.
///
/// # Errors
/// The disk's; corruption if the checkpoint is unreadable.
pub async fn undealt<D: Disk>(store: &Store<D>) -> Result<BTreeSet<Epoch>> {
    let view = LiveView::look(store, Transfer::Cached).await?;
    let checkpoint = Checkpoint::read(store).await?.next()?;
    Ok(view.epochs.range(checkpoint..).map(|(epoch, _)| *epoch).collect())
}

/// Folders looked into with one call.
const FOLDERS_AT_ONCE: usize = 1_000;

/// Removes unsorted segments (their sidecars, their temporary files) of epochs that are still to be dealt and
/// whose raw segments are there, durably. Also makes durable whatever else is visible and may not be: folders
/// that the process before created. Returns how many unsorted segments are left of each index.
pub(super) async fn remove<D: Disk>(
    store: &Store<D>,
    view: &LiveView,
    checkpoint: Epoch,
) -> Result<BTreeMap<IndexCode, usize>> {
    let mut left = BTreeMap::new();
    let undealt = |epoch: Epoch| epoch >= checkpoint && view.epochs.contains_key(&epoch);
    let indexes = store.list(&store.layout().indexes()).await?;
    let indexes: Vec<_> = indexes.iter().filter(|entry| entry.kind == EntryKind::Folder).collect();
    for indexes in indexes.chunks(FOLDERS_AT_ONCE) {
        let folder = |index: &&Entry| store.layout().indexes().join(&index.name).join("segments");
        let folders: Vec<PathBuf> = indexes.iter().map(folder).collect();
        let listings = store.disk().list_all(folders.clone()).await?;
        for ((index, folder), entries) in indexes.iter().zip(folders).zip(listings) {
            let unsorted = remove_from(store.disk(), &folder, entries, undealt).await?;
            if unsorted > 0
                && let Ok(code) = IndexCode::new(index.name.as_bytes())
            {
                left.insert(code, unsorted);
            }
        }
    }
    let rejected = store.list(&store.layout().rejected()).await?;
    remove_from(store.disk(), &store.layout().rejected(), rejected, undealt).await?;
    store.disk().sync_filesystem(store.layout().data()).await?;
    Ok(left)
}

/// Returns how many unsorted segments it left.
async fn remove_from<D: Disk>(
    disk: &D,
    folder: &Path,
    entries: Vec<Entry>,
    undealt: impl Fn(Epoch) -> bool,
) -> Result<usize> {
    let mut left = 0;
    for entry in entries {
        match dealt_as(&entry.name) {
            Some(epoch) if entry.kind == EntryKind::File && undealt(epoch) => {
                disk.remove_file(&folder.join(&entry.name)).await?;
            }
            Some(_) if SegmentName::parse(&entry.name).is_some() => left += 1,
            Some(_) | None => {}
        }
    }
    Ok(left)
}

/// The epoch that a file of this name was dealt from, if it is an unsorted segment, its sidecar, or either on
/// its way.
fn dealt_as(name: &str) -> Option<Epoch> {
    let name = name.strip_prefix(TEMPORARY_PREFIX).unwrap_or(name);
    let segment = SegmentName::parse(name.strip_suffix(SIDECAR_SUFFIX).unwrap_or(name))?;
    match segment.kind {
        SegmentKind::Unsorted => Some(segment.time),
        SegmentKind::Sorted | SegmentKind::Optimized => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unsorted_segments_and_what_belongs_to_them_are_dealt() {
        let time = "2026.11.22-10.33.41.999";
        for name in ["unsorted_7", "unsorted_7.sum"] {
            assert!(dealt_as(&format!("{time}.{name}")).is_some(), "{name}");
            assert!(dealt_as(&format!(".tmp-{time}.{name}")).is_some(), "{name}");
        }
        for name in ["sorted_7", "sorted_7.sum", "optimized_7", "unsorted_x", "raw"] {
            assert_eq!(dealt_as(&format!("{time}.{name}")), None, "{name}");
        }
        assert_eq!(dealt_as("last_read"), None);
    }
}
