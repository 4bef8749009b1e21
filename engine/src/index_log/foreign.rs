//! Indexes of the original whose names this host takes for none.

use std::path::PathBuf;

use crate::error::Result;
use crate::ids::IndexCode;
use crate::io::disk::{Disk, EntryKind};
use crate::store::Store;

/// Folders in `indexes/` whose names can't be index codes here. The original takes any name; this host neither lists nor
/// serves them, and leaves them as they are. (A name that is not UTF-8 is not seen here.)
///
/// # Errors
/// The disk's.
pub async fn foreign_indexes<D: Disk>(store: &Store<D>) -> Result<Vec<PathBuf>> {
    let entries = store.list(&store.layout().indexes()).await?;
    let folders = entries.iter().filter(|entry| entry.kind == EntryKind::Folder);
    let foreign = folders.filter(|entry| IndexCode::new(entry.name.as_bytes()).is_err());
    Ok(foreign.map(|entry| store.layout().indexes().join(&entry.name)).collect())
}

#[cfg(test)]
mod tests {
    use crate::testing::store;
    use std::path::Path;

    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::{MemDisk, run};

    #[test]
    fn an_index_that_can_not_be_served_is_named() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        assert_eq!(run(foreign_indexes(&store(&disk, &layout))).unwrap(), [""; 0].map(PathBuf::from));
        for name in ["a b", "fine", ".hidden", "\u{e9}"] {
            disk.put(layout.indexes().join(name).join("segments/2026.01.01-00.00.00.000.sorted_1"), b"x");
        }
        disk.put(layout.indexes().join("a file"), b"");
        let found = run(foreign_indexes(&store(&disk, &layout))).unwrap();
        assert_eq!(found, [".hidden", "a b", "\u{e9}"].map(|name| layout.indexes().join(name)));
    }
}
