//! What is in an index's folders, by name.

use std::path::{Path, PathBuf};

use crate::format::names::{SIDECAR_SUFFIX, SegmentName, is_unfinished, sidecar_of};
use crate::ids::IndexCode;
use crate::io::disk::{Disk, DiskResult, Entry, EntryKind};
use crate::store::Store;

/// What is in an index's folders, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Of both folders.
    pub(super) segments: Vec<SegmentName>,
    /// Files that were never completed, and sidecars without a segment.
    pub(super) strays: Vec<PathBuf>,
    /// How many other things there are, not ours to remove.
    pub(super) others: usize,
}

impl Files {
    /// Folders that are not there are empty.
    pub(super) async fn list<D: Disk>(store: &Store<D>, code: &IndexCode) -> DiskResult<Self> {
        let mut files = Self::default();
        for folder in [store.layout().optimized(code), store.layout().segments(code)] {
            files.add(&folder, &store.list(&folder).await?);
        }
        Ok(files)
    }

    fn add(&mut self, folder: &Path, entries: &[Entry]) {
        for entry in entries {
            let of_segment =
                entry.name.strip_suffix(SIDECAR_SUFFIX).filter(|stem| SegmentName::parse(stem).is_some());
            if entry.kind != EntryKind::File {
                self.others += 1;
            } else if is_unfinished(&entry.name) {
                self.strays.push(folder.join(&entry.name));
            } else if let Some(name) = SegmentName::parse(&entry.name) {
                self.segments.push(name);
            } else if let Some(segment) = of_segment {
                // Sorted by name.
                if entries.binary_search_by(|entry| entry.name.as_str().cmp(segment)).is_err() {
                    self.strays.push(folder.join(&entry.name));
                }
            } else {
                self.others += 1;
            }
        }
    }
}

/// Removes a segment and its sidecar; its length, if it was there.
pub(super) async fn remove_segment<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    name: SegmentName,
) -> DiskResult<Option<u64>> {
    let path = store.layout().segment(code, name);
    let metadata = store.disk().metadata(&path).await?;
    let there = store.remove(&path).await?;
    // Behind its segment: a sidecar alone is recognized as a stray.
    store.remove(&sidecar_of(&path)).await?;
    Ok(metadata.filter(|_| there).map(|metadata| metadata.len))
}

/// Makes durable what was removed from an index's folders.
pub(super) async fn sync_folders<D: Disk>(store: &Store<D>, code: &IndexCode) -> DiskResult<()> {
    for folder in [
        store.layout().optimized(code),
        store.layout().segments(code),
        store.layout().index(code),
        store.layout().indexes(),
    ] {
        match store.disk().sync_folder(&folder).await {
            Err(error) if error.is_not_found() => {}
            result => result?,
        }
    }
    Ok(())
}
