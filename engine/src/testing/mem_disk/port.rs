//! The filesystem as background work sees it.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::faults::Fault;
use super::tree::{Inode, Tree};
use super::{MemDisk, State};
use crate::error::{DiskError, Verb};
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, EntryKind, Metadata, Space, Transfer};
use crate::limits::DIRECT_BLOCK_BYTES;
use crate::time::WallMillis;

const TOTAL_BYTES: u64 = 1 << 40;

/// An open file of a [`MemDisk`].
#[derive(Debug)]
pub struct MemFile {
    disk: MemDisk,
    path: PathBuf,
    inode: Inode,
    direct: bool,
}

impl State {
    fn take_room(&mut self, bytes: u64) -> Result<(), ErrorKind> {
        match &mut self.room {
            Some(room) if *room < bytes => Err(ErrorKind::StorageFull),
            Some(room) => {
                *room -= bytes;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl MemDisk {
    fn call<T>(
        &self,
        verb: Verb,
        path: &Path,
        work: impl FnOnce(&mut State) -> Result<T, ErrorKind>,
    ) -> DiskResult<T> {
        self.sync_call(verb, path, work, |_| {})
    }

    /// A call that does `lose` if it fails.
    fn sync_call<T>(
        &self,
        verb: Verb,
        path: &Path,
        work: impl FnOnce(&mut State) -> Result<T, ErrorKind>,
        lose: impl FnOnce(&mut Tree),
    ) -> DiskResult<T> {
        let mut state = self.0.borrow_mut();
        let outcome = match state.faults.next() {
            Ok(()) => work(&mut state).map_err(Error::from),
            Err(Fault::NotMade(error)) => Err(error),
            Err(Fault::Failed(error)) => {
                lose(&mut state.tree);
                Err(error)
            }
        };
        outcome.map_err(|error| DiskError::new(verb, path, error))
    }

    fn opened(&self, path: &Path, inode: Inode, transfer: Transfer) -> MemFile {
        MemFile { disk: self.clone(), path: path.to_owned(), inode, direct: transfer == Transfer::Direct }
    }
}

impl Disk for MemDisk {
    type File = MemFile;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<MemFile> {
        let inode = self.call(Verb::Open, path, |state| state.tree.file(path))?;
        Ok(self.opened(path, inode, transfer))
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<MemFile> {
        self.open(path, transfer).await
    }

    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<MemFile> {
        let inode = self.call(Verb::Create, path, |state| state.tree.create(path, state.now))?;
        Ok(self.opened(path, inode, transfer))
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        self.call(Verb::Mkdir, path, |state| state.tree.create_folder(path))
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        let names = self.call(Verb::List, folder, |state| state.tree.list(folder))?;
        let kind = |is_file| if is_file { EntryKind::File } else { EntryKind::Folder };
        Ok(names.into_iter().map(|(name, is_file)| Entry { name, kind: kind(is_file) }).collect())
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        self.call(Verb::Stat, path, |state| {
            Ok(state.tree.look(path).map(|found| match found {
                Some(data) => Metadata {
                    kind: EntryKind::File,
                    len: data.cached().len() as u64,
                    modified: data.modified,
                },
                None => Metadata { kind: EntryKind::Folder, len: 0, modified: WallMillis(0) },
            }))
        })
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.call(Verb::Rename, from, |state| state.tree.rename(from, to))
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.call(Verb::Unlink, path, |state| state.tree.remove_file(path))
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        self.call(Verb::Rmdir, path, |state| state.tree.remove_folder(path))
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        let lose = |tree: &mut Tree| tree.fail_sync_folder(folder);
        self.sync_call(Verb::Fsync, folder, |state| state.tree.sync_folder(folder), lose)
    }

    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        let sync = |state: &mut State| {
            state.tree.sync_all();
            Ok(())
        };
        self.sync_call(Verb::Syncfs, path, sync, Tree::fail_sync_all)
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        self.call(Verb::Touch, path, |state| {
            let now = state.now;
            let inode = match state.tree.file(path) {
                Err(ErrorKind::NotFound) => state.tree.create(path, now)?,
                found => found?,
            };
            state.tree.data_mut(inode).modified = now;
            Ok(())
        })
    }

    async fn space(&self, path: &Path) -> DiskResult<Space> {
        let available = self.call(Verb::Statfs, path, |state| Ok(state.room.or(state.available_bytes)))?;
        Ok(Space {
            total_bytes: TOTAL_BYTES,
            available_bytes: available.unwrap_or(TOTAL_BYTES),
            total_files: 0,
            available_files: u64::MAX,
        })
    }
}

impl MemFile {
    fn call<T>(&self, verb: Verb, work: impl FnOnce(&mut State) -> Result<T, ErrorKind>) -> DiskResult<T> {
        self.disk.call(verb, &self.path, work)
    }

    /// `offset` as a place in memory.
    fn place(&self, offset: u64) -> usize {
        assert!(
            !self.direct || !self.disk.0.borrow().aligned || offset.is_multiple_of(DIRECT_BLOCK_BYTES as u64),
            "direct transfers begin at a block"
        );
        usize::try_from(offset).expect("test files are small")
    }
}

impl DiskFile for MemFile {
    async fn read_at(&self, mut buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        let begin = self.place(offset);
        let result = self.call(Verb::Read, |state| {
            let bytes = state.tree.data_mut(self.inode).read(self.direct);
            let begin = begin.min(bytes.len());
            let end = bytes.len().min(begin + buffer.capacity());
            buffer.clear();
            buffer.extend(&bytes[begin..end]);
            Ok(())
        });
        (result, buffer)
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        let begin = self.place(offset);
        let result = self.call(Verb::Write, |state| {
            state.take_room(buffer.len() as u64)?;
            let whole = buffer.len().is_multiple_of(DIRECT_BLOCK_BYTES);
            assert!(!self.direct || !state.aligned || whole, "direct writes are of whole blocks");
            state.tree.data_mut(self.inode).write(begin, &buffer, self.direct);
            Ok(())
        });
        (result, buffer)
    }

    async fn sync(&self) -> DiskResult<()> {
        let sync = |state: &mut State| {
            state.tree.data_mut(self.inode).sync();
            Ok(())
        };
        let lose = |tree: &mut Tree| tree.data_mut(self.inode).fail_sync();
        self.disk.sync_call(Verb::Fdatasync, &self.path, sync, lose)
    }

    async fn len(&self) -> DiskResult<u64> {
        self.call(Verb::Stat, |state| Ok(state.tree.data(self.inode).cached().len() as u64))
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        self.call(Verb::Truncate, |state| {
            state.tree.data_mut(self.inode).set_len(usize::try_from(len).expect("test files are small"));
            Ok(())
        })
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        self.call(Verb::Allocate, |state| {
            state.take_room(len)?;
            state.tree.data_mut(self.inode).set_len(usize::try_from(len).expect("test files are small"));
            Ok(())
        })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
