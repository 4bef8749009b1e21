mod judge;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use self::judge::Verdict;
use super::ahead::History;
use super::mark::{Mark, Written};
use crate::error::{Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::Layout;
use crate::format::names::SegmentName;
use crate::ids::Epoch;
use crate::io::disk::{Disk, DiskResult, Entry, EntryKind};
use crate::store::Store;

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
    layout: Layout,
    /// What the data directory says of itself.
    data: Mark,
    /// What raw/ says of itself.
    raw: Mark,
    /// Whether the operator says that they belong together.
    accepted: bool,
    /// Whether raw/ lies outside the data directory.
    apart: bool,
    /// Whether there is anything in the data directory that a host puts there.
    known: bool,
    /// Whether a host of this kind has opened the data directory before.
    opened: bool,
    /// Whether the checkpoint says that epochs were dealt.
    dealt: bool,
    /// Whether the raw log was in the data directory until now, and is dealt as far as its history goes: then one elsewhere is
    /// new. What is in its live/ and not dealt is for whoever starts to see.
    moves_out: bool,
    /// Whether an index has a segment.
    indexed: bool,
    /// indexes/
    indexes: Folder,
    /// raw/live/
    live: Folder,
    /// raw/history/
    history: Folder,
    /// The first epoch of which raw/history/ has what this data directory should know, and does not.
    ahead: Option<Epoch>,
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
pub async fn look<D: Disk>(store: &Store<D>) -> Result<Found> {
    let there = async |path: PathBuf| Ok::<_, Error>(store.disk().metadata(&path).await?.is_some());
    let data = Mark::read(store, &store.layout().identity()).await?;
    let raw = Mark::read(store, &store.layout().raw_identity()).await?;
    let accepted = there(store.layout().accept_new_raw()).await?;
    let opened = there(store.layout().token_key()).await?;
    let (live, _) = folder(store.disk(), &store.layout().raw_live()).await?;
    let (indexes, _) = folder(store.disk(), &store.layout().indexes()).await?;
    let history = History::read(store).await?;
    let checkpoint = Checkpoint::read(store).await?;
    let next = if let Checkpoint::At(next) = checkpoint { Some(next) } else { None };
    let (checkpointed, dealt, ahead) = match checkpoint {
        // A copy from before anything was dealt; else only that file is lost, and a start makes it anew.
        Checkpoint::Missing if history.has_segments() && !is_indexed(store).await? => {
            let identified = matches!(data, Mark::Some(Written::Final(_))) && data == raw;
            (false, false, if identified { history.ahead(store, Epoch::ZERO).await? } else { None })
        }
        Checkpoint::Missing => (false, false, None),
        Checkpoint::At(next) => (true, next > Epoch::ZERO, history.ahead(store, next).await?),
        // It is written when something has been dealt.
        Checkpoint::Unreadable(_) => (true, true, None),
    };
    let history = history.folder;
    let apart = store.layout().raw().parent() != Some(store.layout().data());
    let mut known = accepted || opened || checkpointed || data != Mark::None;
    for path in [store.layout().master(), store.layout().safe_to_read(), store.layout().indexes()] {
        known |= there(path).await?;
    }
    known |= !apart && (live != Folder::Missing || history != Folder::Missing || raw != Mark::None);
    let unmarked = data == Mark::None && raw == Mark::None;
    // Only where neither has an identity does it matter; else a start would have to list all of them for nothing.
    let indexed = unmarked && is_indexed(store).await?;
    let moves_out = apart && unmarked && moves_out(store, opened, next).await?;
    Ok(Found {
        layout: store.layout().clone(),
        data,
        raw,
        accepted,
        apart,
        known,
        opened,
        dealt,
        indexed,
        moves_out,
        indexes,
        live,
        history,
        ahead,
    })
}

/// What is at `path`, also through a link.
pub(super) async fn folder<D: Disk>(disk: &D, path: &Path) -> DiskResult<(Folder, Vec<Entry>)> {
    let entries = match disk.list(path).await {
        Err(error) if matches!(error.source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok((Folder::Missing, Vec::new()));
        }
        entries => entries?,
    };
    let used = entries.iter().any(|entry| entry.kind == EntryKind::File);
    Ok((if used { Folder::Used } else { Folder::Empty }, entries))
}

/// The original keeps its raw log in the data directory. This host did if history there holds the last epoch that was dealt.
async fn moves_out<D: Disk>(store: &Store<D>, opened: bool, next: Option<Epoch>) -> Result<bool> {
    let inside = Layout::new(store.layout().data(), None);
    if folder(store.disk(), &inside.raw_live()).await?.0 == Folder::Missing {
        return Ok(false);
    }
    let last = History::read(&Store::new(store.disk().clone(), inside)).await?.last();
    Ok(!opened || last.is_some_and(|last| Some(last.next()) == next))
}

/// Whether any index has a segment; stops at the first.
async fn is_indexed<D: Disk>(store: &Store<D>) -> DiskResult<bool> {
    for index in store.list(&store.layout().indexes()).await? {
        if index.kind != EntryKind::Folder {
            continue;
        }
        for part in ["segments", "optimized"] {
            let entries = store.list(&store.layout().indexes().join(&index.name).join(part)).await?;
            if entries.iter().any(|entry| SegmentName::parse(&entry.name).is_some()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
