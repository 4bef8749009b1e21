//! trash/: folders on their way out. A rename takes an index away in one step; its files follow one by one, and
//! what a crash leaves is removed at the next start.

use std::path::{Path, PathBuf};

use crate::io::disk::{Disk, DiskResult, EntryKind, parent};
use crate::store::Store;

/// Takes a folder away, durably, and removes it. `false` if it was not there.
pub(super) async fn throw_away<D: Disk>(store: &Store<D>, folder: &Path) -> DiskResult<bool> {
    let trash = store.layout().trash();
    store.create_folder(&trash).await?;
    // Left over by an error; a name that is taken would make the rename fail.
    let target = trash.join(folder.file_name().unwrap_or_default());
    remove_from_trash(store, &trash, &target).await?;
    if !store.rename(folder, &target).await? {
        return Ok(false);
    }
    // The old name first: after a power cut the folder may be found nowhere, and that is where it is going.
    store.disk().sync_folder(parent(folder)).await?;
    store.disk().sync_folder(&trash).await?;
    remove_from_trash(store, &trash, &target).await?;
    Ok(true)
}

/// Removes what has this name in trash/, whatever it is: also a link to a folder elsewhere, which may stand for an index.
async fn remove_from_trash<D: Disk>(store: &Store<D>, trash: &Path, target: &Path) -> DiskResult<()> {
    let name = target.file_name().unwrap_or_default();
    for entry in store.list(trash).await?.iter().filter(|entry| *entry.name == *name) {
        remove_any(store, target, entry.kind).await?;
    }
    Ok(())
}

/// Removes whatever is in trash/: to be called once at start.
///
/// # Errors
/// The disk's.
pub(crate) async fn empty_trash<D: Disk>(store: &Store<D>) -> DiskResult<()> {
    let trash = store.layout().trash();
    for entry in store.list(&trash).await? {
        remove_any(store, &trash.join(&entry.name), entry.kind).await?;
    }
    Ok(())
}

async fn remove_any<D: Disk>(store: &Store<D>, path: &Path, kind: EntryKind) -> DiskResult<()> {
    match kind {
        EntryKind::Folder => remove_tree(store, path).await,
        // Never followed: of a link, the link is removed.
        EntryKind::File | EntryKind::Other => store.remove(path).await.map(drop),
    }
}

/// Removes a folder and all that is in it; fine if it is not there.
async fn remove_tree<D: Disk>(store: &Store<D>, root: &Path) -> DiskResult<()> {
    let mut open: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = open.last().cloned() {
        let mut folders = Vec::new();
        for entry in store.list(&folder).await? {
            let path = folder.join(&entry.name);
            match entry.kind {
                EntryKind::Folder => folders.push(path),
                EntryKind::File | EntryKind::Other => {
                    store.remove(&path).await?;
                }
            }
        }
        if folders.is_empty() {
            match store.disk().remove_folder(&folder).await {
                Err(error) if error.is_not_found() => {}
                result => result?,
            }
            open.pop();
        } else {
            // Then looked at once more, when it is empty.
            open.extend(folders);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::store;
    use crate::testing::{Hooked, MemDisk, Stepped, run};

    fn layout() -> Layout {
        Layout::new(Path::new("/data"), None)
    }

    fn tree() -> MemDisk {
        let disk = MemDisk::new();
        for file in ["indexes/a/x", "indexes/a/b/y", "indexes/a/b/c/z", "indexes/other/x", "trash/a/old/w"] {
            disk.put(layout().data().join(file), b"");
        }
        disk
    }

    #[test]
    fn a_folder_goes_whole_at_any_crash_and_start_finishes_it() {
        for steps in 0.. {
            let disk = tree();
            let (slow, folder, place) =
                (Hooked::stepping(disk.clone()), layout().indexes().join("a"), layout());
            let ended = Stepped::new(throw_away(&store(&slow, &place), &folder)).steps(steps);
            let there = disk.files().iter().filter(|path| path.starts_with(&folder)).count();
            assert!(there == 3 || there == 0, "{there} after {steps} calls");
            run(empty_trash(&store(&disk, &layout()))).unwrap();
            assert!(run(disk.list(&layout().trash())).unwrap().is_empty());
            run(throw_away(&store(&disk, &layout()), &folder)).unwrap();
            assert_eq!(disk.files(), [layout().indexes().join("other/x")]);
            if let Some(result) = ended {
                assert!(result.unwrap());
                assert!(!run(throw_away(&store(&disk, &layout()), &folder)).unwrap());
                break;
            }
        }
    }

    /// A link is listed as no folder, as a file is.
    #[test]
    fn what_is_no_folder_goes_too_also_where_one_was_left() {
        let disk = MemDisk::new();
        let folder = layout().indexes().join("a");
        for left in ["trash/a", "trash/a/old/w"] {
            disk.put(layout().data().join(left), b"");
            disk.put(&folder, b"");
            assert!(run(throw_away(&store(&disk, &layout()), &folder)).unwrap(), "{left}");
            assert!(disk.files().is_empty() && run(disk.list(&layout().trash())).unwrap().is_empty());
        }
    }
}
