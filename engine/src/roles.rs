//! Which of several hosts deals and answers recoveries: the flags `master` and `safe_to_read` in the data
//! directory. An operator (or a later promotion) sets and removes them; this host only looks.

use std::path::PathBuf;

use crate::io::disk::{Disk, DiskResult, EntryKind};
use crate::store::Store;

/// Why this host must not serve recoveries now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The flag `master` is not there.
    #[error("this host is not the master: recover from the master, or create {} to make this host the master", .0.display())]
    NotMaster(PathBuf),
    /// The flag `safe_to_read` is not there.
    #[error(
        "this host is not safe to read: its files may not reach up to its raw log yet; if you know that they do, create {}",
        .0.display()
    )]
    NotSafe(PathBuf),
}

/// Whether this host deals, sorts, optimizes and cleans.
///
/// # Errors
/// The disk's.
pub async fn is_master<D: Disk>(store: &Store<D>) -> DiskResult<bool> {
    Ok(store.disk().metadata(&store.layout().master()).await?.is_some())
}

/// Why recoveries are refused; `None` if this host may serve them.
///
/// # Errors
/// The disk's.
pub async fn refusal<D: Disk>(store: &Store<D>) -> DiskResult<Option<Refusal>> {
    if !is_master(store).await? {
        return Ok(Some(Refusal::NotMaster(store.layout().master())));
    }
    let safe = store.disk().metadata(&store.layout().safe_to_read()).await?.is_some();
    Ok((!safe).then(|| Refusal::NotSafe(store.layout().safe_to_read())))
}

/// What [`initialize`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialized {
    /// This host has opened the tree before: its flags are the operator's.
    Before,
    /// The tree takes part in replication: its flags are the operator's.
    Replicated,
    /// There was nothing: the host is master of a new, empty tree, and safe to read.
    Fresh,
    /// There was a tree of the original, which keeps its flag `master` elsewhere: the host is its master. Whether
    /// it is safe to read is as it was.
    Adopted,
}

/// To be called at start, before anything else is written: makes a host that stands alone the master of its tree
/// when it opens it for the first time (there is no `token.key` yet; [`crate::recovery_read::token_key`] comes after).
///
/// Later starts leave the flags alone, so that a host whose `master` was taken away doesn't take it back.
///
/// # Errors
/// The disk's. Calling again repairs what is half-done.
pub async fn initialize<D: Disk>(store: &Store<D>) -> DiskResult<Initialized> {
    if store.disk().metadata(&store.layout().token_key()).await?.is_some() {
        return Ok(Initialized::Before);
    }
    if is_replica(store).await? {
        return Ok(Initialized::Replicated);
    }
    let fresh = is_fresh(store).await?;
    store.create_folder(store.layout().data()).await?;
    if fresh {
        raise(store, store.layout().safe_to_read()).await?;
    }
    raise(store, store.layout().master()).await?;
    Ok(if fresh { Initialized::Fresh } else { Initialized::Adopted })
}

/// Whether the tree looks like a slave's: another host's files are put into it. A master of the original has an empty
/// folder `previous` as well, and a slave that was promoted has the flag `master` beside its data directory.
async fn is_replica<D: Disk>(store: &Store<D>) -> DiskResult<bool> {
    let flag = store.disk().metadata(&store.layout().data().with_file_name("master")).await?;
    if flag.is_some_and(|found| found.kind == EntryKind::File) {
        return Ok(false);
    }
    for name in ["migrating", "migrated", "master_delta.info"] {
        if store.disk().metadata(&store.layout().data().join(name)).await?.is_some() {
            return Ok(true);
        }
    }
    let previous = store.layout().data().join("previous");
    match store.disk().metadata(&previous).await? {
        None => Ok(false),
        Some(found) if found.kind == EntryKind::Folder => Ok(!store.disk().list(&previous).await?.is_empty()),
        Some(_) => Ok(true),
    }
}

/// Whether no record has ever been in the tree.
async fn is_fresh<D: Disk>(store: &Store<D>) -> DiskResult<bool> {
    for folder in [store.layout().raw_live(), store.layout().raw_history(), store.layout().indexes()] {
        let there =
            store.disk().metadata(&folder).await?.is_some_and(|found| found.kind == EntryKind::Folder);
        if there && !store.disk().list(&folder).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(store.disk().metadata(&store.layout().checkpoint()).await?.is_none())
}

/// Creates a flag, durably.
async fn raise<D: Disk>(store: &Store<D>, flag: PathBuf) -> DiskResult<()> {
    if store.disk().metadata(&flag).await?.is_none() { store.publish(&flag, b"").await } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use crate::testing::store;
    use std::path::Path;

    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::{MemDisk, run};

    fn layout() -> Layout {
        Layout::new(Path::new("/data/storage"), None)
    }

    fn disk() -> MemDisk {
        let disk = MemDisk::new();
        run(disk.create_folder(Path::new("/data"))).unwrap();
        disk
    }

    #[test]
    fn a_new_host_is_master_and_safe_once() {
        let (disk, layout) = (disk(), layout());
        assert!(matches!(run(refusal(&store(&disk, &layout))), Ok(Some(Refusal::NotMaster(_)))));
        assert_eq!(run(initialize(&store(&disk, &layout))).unwrap(), Initialized::Fresh);
        assert_eq!(run(refusal(&store(&disk, &layout))).unwrap(), None);

        disk.put(layout.token_key(), &[1; 32]);
        run(disk.remove_file(&layout.master())).unwrap();
        assert_eq!(run(initialize(&store(&disk, &layout))).unwrap(), Initialized::Before);
        assert!(
            matches!(run(refusal(&store(&disk, &layout))), Ok(Some(Refusal::NotMaster(_)))),
            "it was taken away"
        );
    }

    #[test]
    fn a_tree_of_the_original_is_adopted_but_not_declared_safe() {
        let (disk, layout) = (disk(), layout());
        disk.put("/data/storage/raw/live/1795343512642.raw", b"x");
        assert_eq!(run(initialize(&store(&disk, &layout))).unwrap(), Initialized::Adopted);
        assert!(matches!(run(refusal(&store(&disk, &layout))), Ok(Some(Refusal::NotSafe(_)))));
        disk.put(layout.safe_to_read(), b"");
        assert_eq!(run(refusal(&store(&disk, &layout))).unwrap(), None);
    }

    #[test]
    fn an_empty_previous_of_the_original_hinders_no_master() {
        let (disk, layout) = (disk(), layout());
        disk.put("/data/storage/raw/live/1795343512642.raw", b"x");
        run(disk.create_folder(&layout.data().join("previous"))).unwrap();
        assert_eq!(run(initialize(&store(&disk, &layout))).unwrap(), Initialized::Adopted);
        assert!(run(is_master(&store(&disk, &layout))).unwrap());
    }

    #[test]
    fn a_slave_is_adopted_once_it_has_the_flag_of_the_original() {
        for file in ["previous/dealer.next_timestamp.info", "migrating/x", "migrated/x", "master_delta.info"]
        {
            let (disk, layout) = (disk(), layout());
            disk.put(layout.data().join(file), b"1");
            disk.put(layout.raw_live().join("1795343512642.raw"), b"x");
            run(disk.create_folder(Path::new("/data/master"))).unwrap();
            assert_eq!(run(initialize(&store(&disk, &layout))).unwrap(), Initialized::Replicated, "{file}");
            run(disk.remove_folder(Path::new("/data/master"))).unwrap();
            disk.put("/data/master", b"");
            assert_eq!(run(initialize(&store(&disk, &layout))).unwrap(), Initialized::Adopted, "{file}");
            assert!(run(is_master(&store(&disk, &layout))).unwrap(), "{file}");
        }
    }

    #[test]
    fn a_replicated_tree_is_left_alone() {
        let (disk, layout) = (disk(), layout());
        disk.put("/data/storage/migrated/dealer.next_timestamp.info", b"1");
        assert_eq!(run(initialize(&store(&disk, &layout))).unwrap(), Initialized::Replicated);
        assert!(disk.get(layout.master()).is_none() && disk.get(layout.safe_to_read()).is_none());
    }
}
