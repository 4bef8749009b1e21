//! Deletions beside the history that they concern: `raw/history/EPOCH-ORDINAL-CODE.deleted`.
//!
//! History holds what a deleted index received, and a deletion's own file goes when it has been carried out. So each is kept
//! with history as well, for as long as that has anything before it, and never changes: an index that is made again from
//! a copy of history must not come back because nothing tells any more that it was deleted. Where files of history are put into
//! `raw/live/` to be dealt again, the deletions among them are taken over before that.
//!
//! The name says everything; the bytes are those of `deletions/CODE`, whose checksum covers it.

use std::fmt;
use std::path::PathBuf;

use super::file::{decode, encode, load_one, publish, read};
use super::set::Deletions;
use crate::error::{Corruption, Error, Result};
use crate::format::layout::Layout;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, DiskResult, Entry, EntryKind};
use crate::limits::ORDINAL_BITS;
use crate::mutant::or_bug;
use crate::store::Store;

const SUFFIX: &str = ".deleted";

/// The name of a deletion that is kept with history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchivedName {
    /// The first position that it does not cover.
    pub before: Position,
    /// The index.
    pub code: IndexCode,
}

impl ArchivedName {
    /// Parses a name; `None` for what is not one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.splitn(3, '-');
        let epoch = Epoch::new(parts.next()?.parse().ok()?)?;
        let ordinal = parts.next()?.parse().ok().filter(|&ordinal: &u32| ordinal < 1 << ORDINAL_BITS)?;
        let code = IndexCode::new(parts.next()?.as_bytes()).ok()?;
        let parsed = Self { before: Position::new(epoch, ordinal), code };
        // One name for one thing.
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for ArchivedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}{SUFFIX}", self.before.epoch(), self.before.ordinal(), self.code)
    }
}

fn path(layout: &Layout, name: &ArchivedName) -> PathBuf {
    layout.raw_history().join(name.to_string())
}

/// The deletions among these entries of a folder.
pub(crate) fn names(entries: &[Entry]) -> Vec<ArchivedName> {
    let files = entries.iter().filter(|entry| entry.kind == EntryKind::File);
    files.filter_map(|entry| ArchivedName::parse(&entry.name)).collect()
}

/// Keeps a deletion with history, durably.
pub(crate) async fn keep<D: Disk>(store: &Store<D>, name: &ArchivedName) -> Result<()> {
    or_bug!(DeletionUnarchived, (), return Ok(()));
    store.create_folder(&store.layout().raw_history()).await?;
    let bytes = encode(&name.code, name.before);
    let path = path(store.layout(), name);
    // A start of the writer deletes temporary files, also one that is being written here.
    let publish = async || Ok(Some(store.publish(&path, bytes.as_bytes()).await?));
    store.settle(&path, publish).await
}

/// Keeps each of these with history that is not kept yet.
pub(crate) async fn keep_all<D: Disk>(store: &Store<D>, deletions: &Deletions) -> Result<()> {
    if deletions.iter().next().is_none() {
        return Ok(());
    }
    store.create_folder(&store.layout().raw_history()).await?;
    // One that is visible may not be durable.
    store.disk().sync_folder(&store.layout().raw_history()).await?;
    let kept = names(&store.disk().list(&store.layout().raw_history()).await?);
    for (code, before) in deletions.iter() {
        let name = ArchivedName { before, code: code.clone() };
        if kept.binary_search(&name).is_err() && !kept.contains(&name) {
            keep(store, &name).await?;
        }
    }
    Ok(())
}

/// Removes one that a later deletion of the same index covers, or that concerns nothing any more. Not durable: it does no harm
/// if it comes back.
pub(crate) async fn forget<D: Disk>(store: &Store<D>, name: &ArchivedName) -> DiskResult<()> {
    store.remove(&path(store.layout(), name)).await.map(drop)
}

/// Takes over the deletions that were put into `raw/live/` with segments of history: they hold from here on, and are kept with
/// this host's history. To be done before anything there is dealt or read. May end at any await and be done again. Returns what
/// is damaged of them: of those indexes nobody knows what is gone, until a person decides.
///
/// # Errors
/// The disk's.
pub(crate) async fn take_over<D: Disk>(store: &Store<D>) -> Result<Vec<Corruption>> {
    let live = store.layout().raw_live();
    let entries = store.list(&live).await?;
    let (mut damaged, mut moved) = (Vec::new(), false);
    for name in names(&entries) {
        let path = live.join(name.to_string());
        let take_over = async || match take_over_one(store, &name).await {
            // The other role of this host starts as well, and did it first: then it holds already.
            Err(error) if error.is_not_found() && store.disk().metadata(&path).await?.is_none() => {
                Ok(Some(None))
            }
            damage => damage.map(Some),
        };
        damaged.extend(store.settle(&path, take_over).await?);
        moved = true;
    }
    if moved {
        store.disk().sync_folder(&store.layout().raw_history()).await?;
        store.disk().sync_folder(&live).await?;
    }
    Ok(damaged)
}

/// Returns what is damaged about it.
async fn take_over_one<D: Disk>(store: &Store<D>, name: &ArchivedName) -> Result<Option<Corruption>> {
    let from = store.layout().raw_live().join(name.to_string());
    let Some(bytes) = read(store, &from).await? else { return Ok(None) };
    let known = match load_one(store, &name.code).await {
        Err(Error::Corrupt(_)) => None,
        known => Some(known?),
    };
    let damage = if decode(&name.code, &bytes) == Some(name.before) {
        // One that can't be read covers nobody knows what, and stays.
        if known.is_some_and(|known| known.is_none_or(|known| known < name.before)) {
            publish(store, &name.code, name.before).await?;
        }
        None
    } else {
        if known == Some(None) {
            // Unreadable there too, so that nothing of the index is merged.
            store.create_folder(&store.layout().deletions()).await?;
            store.publish(&store.layout().deletion(&name.code), &bytes).await?;
        }
        let what = "no deletion with a valid checksum; copy it once more, or delete the index again";
        Some(Corruption { path: path(store.layout(), name), offset: 0, what: what.to_owned() })
    };
    store.create_folder(&store.layout().raw_history()).await?;
    store.disk().rename(&from, &path(store.layout(), name)).await?;
    Ok(damage)
}

/// What is wrong with the deletions that are kept with history, or were put into `raw/live/` with a copy of it, and how many there
/// are.
///
/// # Errors
/// The disk's.
pub(crate) async fn verify<D: Disk>(store: &Store<D>) -> Result<(u64, Vec<Corruption>)> {
    let (mut files, mut damaged) = (0, Vec::new());
    for folder in [store.layout().raw_live(), store.layout().raw_history()] {
        let entries = store.list(&folder).await?;
        for name in names(&entries) {
            let path = folder.join(name.to_string());
            // If it is not there, it was taken over or pruned meanwhile.
            let Some(bytes) = read(store, &path).await? else { continue };
            if decode(&name.code, &bytes) != Some(name.before) {
                let what = "no deletion with a valid checksum; take it from a backup".to_owned();
                damaged.push(Corruption { path, offset: 0, what });
            }
            files += 1;
        }
    }
    Ok((files, damaged))
}
