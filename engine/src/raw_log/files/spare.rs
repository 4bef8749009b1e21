//! `raw/spare/`: segments that history no longer needs, kept for recycling.
//!
//! Their blocks are written already, so a segment made of one costs its user no metadata with each fdatasync. They
//! keep the names that they had; what is in them means nothing.

use std::path::Path;

use crate::error::Result;
use crate::format::names::RawName;
use crate::io::disk::{Disk, DiskResult, EntryKind, parent};
use crate::raw_log::read::live::raw_names;
use crate::store::Store;

/// What became of a file of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retired {
    /// It waits in `raw/spare/` to be recycled.
    Spared,
    /// It is deleted.
    Deleted,
    /// It was not there any more.
    Gone,
}

/// Gives up a file of `raw/history/`: keeps it for recycling if it is a segment of this host and fewer than
/// `spares_max` wait already, otherwise deletes it. Durable: a spare file is written over, so it must not come
/// back under its old name.
///
/// # Errors
/// The disk's.
pub(crate) async fn retire<D: Disk>(store: &Store<D>, name: RawName, spares_max: usize) -> Result<Retired> {
    let path = store.layout().history(name);
    let recyclable = match name {
        RawName::Segment { .. } => raw_names(store, &store.layout().raw_spare()).await?.len() < spares_max,
        RawName::Legacy(_) | RawName::Ready(_) | RawName::Lost(_) => false,
    };
    let there = if recyclable {
        store.create_folder(&store.layout().raw_spare()).await?;
        store.rename(&path, &store.layout().raw_spare().join(name.to_string())).await?
    } else {
        store.remove(&path).await?
    };
    if !there {
        return Ok(Retired::Gone);
    }
    if recyclable {
        store.disk().sync_folder(&store.layout().raw_spare()).await?;
    }
    store.disk().sync_folder(&store.layout().raw_history()).await?;
    Ok(if recyclable { Retired::Spared } else { Retired::Deleted })
}

/// Gives the room of all spare files back to the filesystem; returns how many there were. That they go need not be durable:
/// they mean nothing.
///
/// # Errors
/// The disk's.
pub(crate) async fn give_up<D: Disk>(store: &Store<D>) -> DiskResult<u64> {
    let folder = store.layout().raw_spare();
    let entries = store.list(&folder).await?;
    let mut given_up = 0;
    for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::File) {
        // It may have been recycled meanwhile, or given up by another process.
        given_up += u64::from(store.remove(&folder.join(&entry.name)).await?);
    }
    Ok(given_up)
}

/// Takes a spare file of this length to `to`, durably; deletes those of another length. `false` if there is none.
pub(super) async fn take<D: Disk>(store: &Store<D>, file_bytes: u64, to: &Path) -> DiskResult<bool> {
    let folder = store.layout().raw_spare();
    let entries = store.list(&folder).await?;
    // A folder or a link is somebody else's: it is passed over.
    for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::File) {
        let path = folder.join(&entry.name);
        match store.disk().metadata(&path).await? {
            Some(metadata) if metadata.len == file_bytes => {
                // What moved it here made that durable, unless it was interrupted; writing to a file that a power
                // cut gives back to history would destroy it there.
                store.disk().sync_folder(&folder).await?;
                store.disk().sync_folder(&store.layout().raw_history()).await?;
                if !store.rename(&path, to).await? {
                    // Given up meanwhile, by whoever prunes history.
                    continue;
                }
                store.disk().sync_folder(parent(to)).await?;
                store.disk().sync_folder(&folder).await?;
                return Ok(true);
            }
            Some(_) => _ = store.remove(&path).await?,
            None => {}
        }
    }
    Ok(false)
}
