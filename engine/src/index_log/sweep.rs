//! Removing what a crash left in an index's folders.

use std::path::PathBuf;

use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::names;
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::{Disk, EntryKind};

use super::chain::Chain;

/// The original's mark of a file that was never completed.
const LEGACY_TEMPORARY_PREFIX: &str = "temp___";

/// Removes temporary files and sidecars without a segment; returns their paths. Only while nothing is dealt,
/// sorted, optimized or rebuilt in this index, as at start: what is being published looks the same.
///
/// # Errors
/// The disk's.
pub async fn sweep_index<D: Disk>(disk: &D, layout: &Layout, code: &IndexCode) -> Result<Vec<PathBuf>> {
    let mut removed = Chain::look(disk, layout, code, Epoch::MAX, None).await?.orphans;
    let mut folders = Vec::new();
    for folder in [layout.optimized(code), layout.segments(code)] {
        let entries = match disk.list(&folder).await {
            Err(error) if error.is_not_found() => continue,
            result => result?,
        };
        let unfinished = |name: &str| names::is_temporary(name) || name.starts_with(LEGACY_TEMPORARY_PREFIX);
        let unfinished =
            entries.iter().filter(|entry| entry.kind == EntryKind::File && unfinished(&entry.name));
        removed.extend(unfinished.map(|entry| folder.join(&entry.name)));
        // A segment that was seen to be gone must stay gone, before its sidecar goes.
        disk.sync_folder(&folder).await?;
        folders.push(folder);
    }
    for path in &removed {
        disk.remove_file(path).await?;
    }
    for folder in folders {
        disk.sync_folder(&folder).await?;
    }
    Ok(removed)
}
