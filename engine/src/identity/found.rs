use std::path::{Path, PathBuf};

use super::mark::Mark;
use crate::error::{Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::Layout;
use crate::format::names::SegmentName;
use crate::ids::Epoch;
use crate::io::disk::{Disk, DiskResult, EntryKind};

/// What is in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// It is not there.
    Missing,
    /// No file is in it.
    Empty,
    /// A file is in it.
    Used,
}

/// What a look at both folders found, before anything is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The data directory and raw/.
    pub(super) layout: Layout,
    /// What the data directory says of itself.
    pub(super) data: Mark,
    /// What raw/ says of itself.
    pub(super) raw: Mark,
    /// Whether the operator says that they belong together.
    pub(super) accepted: bool,
    /// Whether raw/ lies outside the data directory.
    pub(super) apart: bool,
    /// Whether there is anything in the data directory that a host puts there.
    pub(super) known: bool,
    /// Whether a host of this kind has opened the data directory before.
    pub(super) opened: bool,
    /// Whether the checkpoint says that epochs were dealt.
    pub(super) dealt: bool,
    /// Whether an index has a segment.
    pub(super) indexed: bool,
    /// raw/live/
    pub(super) live: Folder,
    /// raw/history/
    pub(super) history: Folder,
}

impl Found {
    /// Whether the operator says that the two belong together.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        self.accepted
    }
}

/// Looks at a data directory and its raw/, of which nothing needs to be there. Writes nothing.
///
/// # Errors
/// The disk's.
pub async fn look<D: Disk>(disk: &D, layout: &Layout) -> Result<Found> {
    let there = async |path: PathBuf| Ok::<_, Error>(disk.metadata(&path).await?.is_some());
    let data = Mark::read(disk, &layout.identity()).await?;
    let raw = Mark::read(disk, &layout.raw_identity()).await?;
    let accepted = there(layout.accept_new_raw()).await?;
    let opened = there(layout.token_key()).await?;
    let live = folder(disk, &layout.raw_live()).await?;
    let history = folder(disk, &layout.raw_history()).await?;
    let (checkpointed, dealt) = match Checkpoint::read(disk, layout).await? {
        Checkpoint::Missing => (false, false),
        Checkpoint::At(epoch) => (true, epoch > Epoch::ZERO),
        // It is written when something has been dealt.
        Checkpoint::Unreadable(_) => (true, true),
    };
    let apart = layout.raw().parent() != Some(layout.data());
    let mut known = accepted || opened || checkpointed || data != Mark::None;
    for path in [layout.master(), layout.safe_to_read(), layout.indexes()] {
        known |= there(path).await?;
    }
    known |= !apart && (live != Folder::Missing || history != Folder::Missing || raw != Mark::None);
    // Only where neither has an identity does it matter; else a start would have to list all of them for nothing.
    let indexed = data == Mark::None && raw == Mark::None && is_indexed(disk, layout).await?;
    let layout = layout.clone();
    Ok(Found { layout, data, raw, accepted, apart, known, opened, dealt, indexed, live, history })
}

async fn folder<D: Disk>(disk: &D, path: &Path) -> DiskResult<Folder> {
    match disk.metadata(path).await? {
        Some(found) if found.kind == EntryKind::Folder => {}
        _ => return Ok(Folder::Missing),
    }
    let entries = disk.list(path).await?;
    let used = entries.iter().any(|entry| entry.kind == EntryKind::File);
    Ok(if used { Folder::Used } else { Folder::Empty })
}

/// Whether any index has a segment; stops at the first.
async fn is_indexed<D: Disk>(disk: &D, layout: &Layout) -> DiskResult<bool> {
    let names = async |path: &Path| match disk.list(path).await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        entries => entries,
    };
    for index in names(&layout.indexes()).await? {
        if index.kind != EntryKind::Folder {
            continue;
        }
        for part in ["segments", "optimized"] {
            let entries = names(&layout.indexes().join(&index.name).join(part)).await?;
            if entries.iter().any(|entry| SegmentName::parse(&entry.name).is_some()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
