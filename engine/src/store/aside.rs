//! Keeps damaged files where nobody else looks, never over one that was kept before.

use std::path::{Path, PathBuf};

use super::{Small, Store};
use crate::io::disk::{Disk, DiskResult, EntryKind};

/// The first of NAME, NAME.2, NAME.3 … in `folder` that nothing has.
pub(crate) async fn unused<D: Disk>(store: &Store<D>, folder: &Path, name: &str) -> DiskResult<PathBuf> {
    let mut number = 1;
    loop {
        let path = candidate(folder, name, number);
        if store.disk().metadata(&path).await?.is_none() {
            return Ok(path);
        }
        number += 1;
    }
}

/// Keeps a copy of `bytes` in `folder`, which is created, durably. One that holds the same is taken for it, so that a
/// repair that is done again after a crash keeps one copy.
pub(crate) async fn keep_copy<D: Disk>(
    store: &Store<D>,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> DiskResult<PathBuf> {
    store.create_folder(folder).await?;
    let mut number = 1;
    loop {
        let path = candidate(folder, name, number);
        match store.disk().metadata(&path).await? {
            None => {
                store.publish(&path, bytes).await?;
                return Ok(path);
            }
            Some(there) if there.kind == EntryKind::File && there.len == bytes.len() as u64 => {
                if store.read_small(&path, bytes.len()).await? == Small::Whole(bytes.to_vec()) {
                    // Whoever put it there may have ended before its name was durable.
                    store.disk().sync_folder(folder).await?;
                    return Ok(path);
                }
            }
            Some(_) => {}
        }
        number += 1;
    }
}

fn candidate(folder: &Path, name: &str, number: u32) -> PathBuf {
    folder.join(if number == 1 { name.to_owned() } else { format!("{name}.{number}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::{MemDisk, run};

    #[test]
    fn what_was_kept_before_is_never_overwritten() {
        let (disk, folder) = (MemDisk::new(), Path::new("/data/damaged"));
        disk.put("/data/x", b"");
        let store = Store::new(disk.clone(), Layout::new(Path::new("/data"), None));
        let kept = |bytes: &[u8]| run(keep_copy(&store, folder, "a.rawlog", bytes)).unwrap();
        let [first, second] = [kept(b"one"), kept(b"two")];
        assert_eq!(first, folder.join("a.rawlog"));
        assert_eq!(second, folder.join("a.rawlog.2"));
        assert_eq!([kept(b"one"), kept(b"two")], [first.clone(), second], "the same is kept once");
        assert_eq!(kept(b"three"), folder.join("a.rawlog.3"));
        assert_eq!(disk.get(&first).unwrap(), b"one");
        assert_eq!(run(unused(&store, folder, "a.rawlog")).unwrap(), folder.join("a.rawlog.4"));
        assert_eq!(run(unused(&store, folder, "b")).unwrap(), folder.join("b"));
    }
}
