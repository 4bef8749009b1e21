//! All deletions, as they were at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::load_one;
use crate::error::{Corruption, Error, Result};
use crate::ids::{IndexCode, Position};
use crate::io::disk::{Disk, EntryKind};
use crate::store::Store;

/// All deletions, as they were at one moment. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Deletions(Arc<BTreeMap<IndexCode, Result<Position, Corruption>>>);

impl Deletions {
    /// Reads deletions/. What is damaged there concerns one index, and is kept as [`Self::unreadable`].
    ///
    /// # Errors
    /// The disk's.
    pub async fn load<D: Disk>(store: &Store<D>) -> Result<Self> {
        let folder = store.layout().deletions();
        // A name that a crash or an error left behind may be visible and not durable; what is done because
        // of it must not outlive it.
        let entries = match store.disk().sync_folder(&folder).await {
            Ok(()) => store.disk().list(&folder).await?,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut all = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            // Temporary files begin with a dot, which no index code does.
            let Ok(code) = IndexCode::new(entry.name.as_bytes()) else { continue };
            match load_one(store, &code).await {
                Ok(Some(position)) => all.insert(code, Ok(position)),
                Ok(None) => None,
                Err(Error::Corrupt(corruption)) => all.insert(code, Err(corruption)),
                Err(error) => return Err(error),
            };
        }
        Ok(Self(Arc::new(all)))
    }

    /// Records of `code` before this position are gone; `None` if the index is not deleted, or its file is
    /// unreadable.
    #[must_use]
    pub fn position(&self, code: &IndexCode) -> Option<Position> {
        self.0.get(code)?.as_ref().ok().copied()
    }

    /// Whether a record of the index of this name at this position is gone.
    #[must_use]
    pub fn covers(&self, code: &[u8], position: Position) -> bool {
        // Asked for every record dealt; nearly always there is no deletion at all.
        !self.0.is_empty()
            && std::str::from_utf8(code)
                .ok()
                .and_then(|code| self.0.get(code)?.as_ref().ok())
                .is_some_and(|before| position < *before)
    }

    /// Deleted indexes, by code.
    pub fn iter(&self) -> impl Iterator<Item = (&IndexCode, Position)> {
        self.0.iter().filter_map(|(code, deletion)| Some((code, *deletion.as_ref().ok()?)))
    }

    /// Whether nobody knows what of this index is gone: it must not be merged, since that might mix what is
    /// gone with what is not.
    #[must_use]
    pub fn is_unreadable(&self, code: &IndexCode) -> bool {
        self.0.get(code).is_some_and(Result::is_err)
    }

    /// Indexes of which nobody knows what is gone. Dealing keeps their records, so that nothing is lost
    /// before a person decides.
    pub fn unreadable(&self) -> impl Iterator<Item = (&IndexCode, &Corruption)> {
        self.0.iter().filter_map(|(code, deletion)| Some((code, deletion.as_ref().err()?)))
    }

    pub(crate) fn insert(&mut self, code: IndexCode, position: Position) {
        Arc::make_mut(&mut self.0).insert(code, Ok(position));
    }

    pub(crate) fn remove(&mut self, code: &IndexCode) {
        Arc::make_mut(&mut self.0).remove(code);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::store;
    use std::path::Path;

    use super::*;
    use crate::deletions::publish;
    use crate::format::layout::Layout;
    use crate::ids::Epoch;
    use crate::testing::{MemDisk, run};

    #[test]
    fn a_damaged_file_concerns_its_index_only() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        assert_eq!(run(Deletions::load(&store(&disk, &layout))).unwrap().iter().count(), 0);
        let [good, bad] = [b"good", b"bad-"].map(|code| IndexCode::new(code).unwrap());
        let position = Position::new(Epoch::new(5).unwrap(), 6);
        disk.put("/data/deletions/bad-", b"5 6 00000000\n");
        disk.put("/data/deletions/.tmp-good", b"5");
        run(publish(&store(&disk, &layout), &good, position)).unwrap();
        disk.put("/data/deletions/.tmp-good", b"5");
        let all = run(Deletions::load(&store(&disk, &layout))).unwrap();
        assert_eq!(all.iter().collect::<Vec<_>>(), [(&good, position)]);
        assert_eq!(all.position(&bad), None);
        assert_eq!(all.unreadable().map(|(code, _)| code).collect::<Vec<_>>(), [&bad]);
    }
}
