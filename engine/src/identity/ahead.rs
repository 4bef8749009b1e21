//! Whether `raw/history/` is ahead of the data directory: then that is an older copy.
//!
//! An epoch goes to history when the checkpoint has passed it, and a deletion when its file in `deletions/` is durable. What
//! history has and the data directory does not know was done by a newer state of it.

use super::found::{Folder, folder};
use crate::deletions::archive::{self, ArchivedName};
use crate::deletions::load_one;
use crate::error::{Error, Result};
use crate::format::names::{RawName, SegmentName};
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, DiskResult, Entry, EntryKind};
use crate::store::Store;

/// The names in raw/history/.
pub(super) struct History {
    pub(super) folder: Folder,
    epochs: Vec<Epoch>,
    deletions: Vec<ArchivedName>,
}

impl History {
    /// Reads them. To be done before the checkpoint is read: what goes there meanwhile is behind that.
    pub(super) async fn read<D: Disk>(store: &Store<D>) -> DiskResult<Self> {
        let (folder, entries) = folder(store.disk(), &store.layout().raw_history()).await?;
        Ok(Self { folder, epochs: segments(&entries), deletions: archive::names(&entries) })
    }

    /// Whether anything that this host has dealt is there.
    pub(super) const fn has_segments(&self) -> bool {
        !self.epochs.is_empty()
    }

    /// The last epoch that this host has dealt.
    pub(super) fn last(&self) -> Option<Epoch> {
        self.epochs.iter().copied().max()
    }

    /// The first epoch of which the data directory lacks something, if `next` is the first that it has not dealt.
    pub(super) async fn ahead<D: Disk>(&self, store: &Store<D>, next: Epoch) -> Result<Option<Epoch>> {
        let mut first = self.epochs.iter().copied().filter(|&epoch| epoch >= next).min();
        let live = segments(&store.list(&store.layout().raw_live()).await?);
        for ArchivedName { before, code } in &self.deletions {
            if *before < Position::new(next, 0) || first.is_some_and(|first| first <= before.epoch()) {
                continue;
            }
            let known = match load_one(store, code).await {
                // It covers nobody knows what, and is reported elsewhere.
                Err(Error::Corrupt(_)) => continue,
                known => known?.is_some_and(|known| known >= *before),
            };
            let undealt = || live.iter().any(|&epoch| epoch >= next && Position::new(epoch, 0) < *before);
            // Once it has been carried out and nothing that it covers is left, nobody needs to know of it.
            if !known && (undealt() || has_segment_before(store, code, before.epoch()).await?) {
                first = Some(before.epoch());
            }
        }
        Ok(first)
    }
}

/// Epochs of the segments of this host's kind. The original's may be dealt and named in whichever folder.
fn segments(entries: &[Entry]) -> Vec<Epoch> {
    let files = entries.iter().filter(|entry| entry.kind == EntryKind::File);
    files
        .filter_map(|entry| match RawName::parse(&entry.name)? {
            RawName::Segment { epoch, .. } => Some(epoch),
            RawName::Legacy(_) | RawName::Lost(_) | RawName::Ready(_) => None,
        })
        .collect()
}

async fn has_segment_before<D: Disk>(store: &Store<D>, code: &IndexCode, before: Epoch) -> DiskResult<bool> {
    for folder in [store.layout().segments(code), store.layout().optimized(code)] {
        let entries = store.list(&folder).await?;
        if entries.iter().filter_map(|entry| SegmentName::parse(&entry.name)).any(|name| name.time < before) {
            return Ok(true);
        }
    }
    Ok(false)
}
