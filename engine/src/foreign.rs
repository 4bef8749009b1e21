//! What stands in the tree where something of another kind belongs: a link or a file in place of a folder, a folder, a link or
//! a socket in place of a file. All work passes over it; here it gets a name, so that somebody sees it.

use std::path::{Path, PathBuf};

use crate::error::Corruption;
use crate::io::disk::{Disk, DiskResult, Entry, EntryKind};
use crate::store::Store;

/// Folders looked into with one call.
const FOLDERS_AT_ONCE: usize = 1_000;

/// Looks into the folders that there are few of: those of the raw log, of packs, of deletions, of indexes.
///
/// # Errors
/// The disk's.
pub async fn look<D: Disk>(store: &Store<D>) -> DiskResult<Vec<Corruption>> {
    let mut found = Vec::new();
    let of_files = [
        store.layout().raw_live(),
        store.layout().raw_history(),
        store.layout().raw_spare(),
        store.layout().packs(),
        store.layout().deletions(),
        store.layout().rejected(),
    ];
    for folder in of_files {
        others(&folder, &store.list(&folder).await?, EntryKind::File, &mut found);
    }
    let indexes = store.layout().indexes();
    others(&indexes, &store.list(&indexes).await?, EntryKind::Folder, &mut found);
    Ok(found)
}

/// As [`look`], and into the folders of each index.
///
/// # Errors
/// The disk's.
pub async fn look_everywhere<D: Disk>(store: &Store<D>) -> DiskResult<Vec<Corruption>> {
    let mut found = look(store).await?;
    let indexes = store.list(&store.layout().indexes()).await?;
    let indexes: Vec<PathBuf> = indexes
        .iter()
        .filter(|entry| entry.kind == EntryKind::Folder)
        .map(|entry| store.layout().indexes().join(&entry.name))
        .collect();
    for indexes in indexes.chunks(FOLDERS_AT_ONCE) {
        let mut inner = Vec::new();
        for (folder, entries) in indexes.iter().zip(store.disk().list_all(indexes.to_vec()).await?) {
            for entry in entries {
                let kind = match entry.name.as_str() {
                    "segments" | "optimized" => EntryKind::Folder,
                    "last_read" => EntryKind::File,
                    _ => continue,
                };
                let path = folder.join(&entry.name);
                if entry.kind != kind {
                    found.push(foreign(path, kind));
                } else if kind == EntryKind::Folder {
                    inner.push(path);
                }
            }
        }
        for (folder, entries) in inner.iter().zip(store.disk().list_all(inner.clone()).await?) {
            others(folder, &entries, EntryKind::File, &mut found);
        }
    }
    Ok(found)
}

/// The entries of another kind.
fn others(folder: &Path, entries: &[Entry], kind: EntryKind, found: &mut Vec<Corruption>) {
    let others = entries.iter().filter(|entry| entry.kind != kind);
    found.extend(others.map(|entry| foreign(folder.join(&entry.name), kind)));
}

fn foreign(path: PathBuf, kind: EntryKind) -> Corruption {
    let what = match kind {
        EntryKind::Folder => {
            "this does not belong here, where there are only folders: it is neither listed nor merged nor verified; move it away, or, \
             if it is a link, put the folder itself in its place"
        }
        EntryKind::File | EntryKind::Other => {
            "this does not belong here, where there are only files: it is passed over; move it away"
        }
    };
    Corruption { path, offset: 0, what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::store;
    use crate::testing::{MemDisk, run};

    #[test]
    fn what_is_of_another_kind_is_named_and_nothing_else() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        for file in
            ["raw/live/8-0-0.rawlog", "indexes/a/segments/x", "indexes/a/last_read", "deletions/a", "master"]
        {
            disk.put(layout.data().join(file), b"");
        }
        assert_eq!(run(look_everywhere(&store(&disk, &layout))).unwrap(), []);
        let few = [
            "packs/7.0-8.0_0_all.recent/x",
            "raw/live/9-0-0.rawlog/x",
            "raw/spare/s/x",
            "deletions/b/x",
            "indexes/file",
        ];
        let inside = ["indexes/a/segments/folder/x", "indexes/b/optimized", "indexes/b/last_read/x"];
        for file in few.iter().chain(&inside) {
            disk.put(layout.data().join(file), b"");
        }
        let names = |found: Vec<Corruption>| {
            let mut names: Vec<_> = found.into_iter().map(|found| found.path.display().to_string()).collect();
            names.sort();
            names
        };
        let expected = |which: &[&str]| {
            let mut names: Vec<_> =
                which.iter().map(|file| format!("/data/{}", file.trim_end_matches("/x"))).collect();
            names.sort();
            names
        };
        assert_eq!(names(run(look(&store(&disk, &layout))).unwrap()), expected(&few));
        assert_eq!(
            names(run(look_everywhere(&store(&disk, &layout))).unwrap()),
            expected(&[&few[..], &inside].concat())
        );
    }
}
