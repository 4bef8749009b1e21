//! What a drained tree must not hold when the original takes it over: its reader knows nothing of `deletions/` nor of
//! sidecars, and it serves every segment whose name it knows.

use super::deleted::Deleted;
use super::files::{Files, remove_segment, sync_folders};
use super::{Cleaned, empty_trash};
use crate::deletion_log::DeletionLog;
use crate::error::{Corruption, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{RawName, SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode};
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::{Disk, EntryKind};
use crate::store::Store;
use crate::time::Now;

/// Makes a tree of which everything is dealt one that the original reads as this host does: carries out and forgets
/// all deletions, removes what other segments cover, and leaves the empty raw segment that the original expects at
/// the checkpoint, in the data directory, which is where it looks. `progress` is given how many indexes are done, of
/// how many.
///
/// Nothing else may work on the tree, and `raw/live/` must hold no epoch.
///
/// # Errors
/// The disk's; corruption if a deletion, a sidecar's segment or the checkpoint can't be read, or if a segment that this
/// host has not dealt lies where the original looks. Calling again goes on.
pub async fn hand_over<D: Disk>(
    store: &Store<D>,
    deletions: &DeletionLog,
    now: Now,
    progress: &dyn Fn(usize, usize),
) -> Result<Cleaned> {
    empty_trash(store).await?;
    let checkpoint = Checkpoint::read(store).await?.next()?;
    let all = deletions.snapshot(store).await?;
    if let Some((_, damage)) = all.unreadable().next() {
        // The original would serve what was deleted.
        return Err(damage.clone().into());
    }
    let mut cleaned = Deleted::new(store.clone()).carry_out(deletions, checkpoint, now).await?;
    let indexes = store.list(&store.layout().indexes()).await?;
    for (number, entry) in indexes.iter().enumerate() {
        progress(number, indexes.len());
        let Ok(code) = IndexCode::new(entry.name.as_bytes()) else { continue };
        if entry.kind == EntryKind::Folder {
            finish(store, &code, checkpoint, &mut cleaned).await?;
        }
    }
    // Everything before them is dealt and gone: what the original writes next must not be taken for deleted.
    for (code, before) in all.iter() {
        cleaned.deletions += u64::from(deletions.prune(store, code, before).await?);
    }
    // Last: without it the original recovers nothing, so a hand-over that did not end is noticed.
    publish_beginning(store, checkpoint).await?;
    Ok(cleaned)
}

/// Publishes the empty raw segment with which the original's log goes on at `checkpoint`; no other may be beside it.
async fn publish_beginning<D: Disk>(store: &Store<D>, checkpoint: Epoch) -> Result<()> {
    let folder = store.layout().original_live();
    store.create_folder(&folder).await?;
    let beginning = RawName::Legacy(checkpoint);
    for entry in store.disk().list(&folder).await? {
        let Some(name @ RawName::Legacy(_)) = RawName::parse(&entry.name) else { continue };
        let path = folder.join(&entry.name);
        if store.disk().metadata(&path).await?.is_some_and(|metadata| metadata.len > 0) {
            let what =
                "a raw segment that this host has not dealt, where the original looks for its raw log: \
                drain the data directory without --raw-dir first"
                    .to_owned();
            return Err(Corruption { path, offset: 0, what }.into());
        }
        if name != beginning {
            store.remove(&path).await?;
        }
    }
    Ok(store.publish(&folder.join(beginning.to_string()), b"").await?)
}

/// Removes what merges left of one index, then the sidecars of its optimized segments: the original may write one
/// anew under the same name.
async fn finish<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    checkpoint: Epoch,
    cleaned: &mut Cleaned,
) -> Result<()> {
    let chain = IndexStore::new(store, code, Bounds { checkpoint, deletion: None }).chain().await?;
    let (witness, rest): (Vec<SegmentName>, Vec<SegmentName>) =
        chain.superseded.iter().chain(&chain.leftovers).partition(|name| chain.is_witness(**name));
    for names in [witness, rest] {
        // What covers them may be visible and not durable yet.
        sync_folders(store, code).await?;
        for name in names {
            if let Some(bytes) = remove_segment(store, code, name).await? {
                cleaned.superseded += 1;
                cleaned.bytes += bytes;
            }
        }
    }
    // The sidecars tell what is covered, so they go once that is gone for good.
    sync_folders(store, code).await?;
    let files = Files::list(store, code).await?;
    for path in &files.strays {
        cleaned.leftovers += u64::from(store.remove(path).await?);
    }
    for name in files.segments.iter().filter(|name| name.kind == SegmentKind::Optimized) {
        store.remove(&store.layout().sidecar(code, *name)).await?;
    }
    Ok(sync_folders(store, code).await?)
}

#[cfg(test)]
mod tests;
