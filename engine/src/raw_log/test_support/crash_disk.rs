//! A drive that forgets: what was not synced may be gone after a power cut, and the cache may hold what the drive
//! does not.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::DiskError;
use crate::format::layout::Layout;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, EntryKind, Metadata, Space, Transfer};
use crate::time::WallMillis;

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Everything: only the process died.
    Kill,
    /// Nothing.
    Power,
    /// The names, not the bytes.
    PowerKeepingNames,
    /// The bytes, not the names.
    PowerKeepingBytes,
}

impl Cut {
    pub(crate) const ALL: [Self; 4] =
        [Self::Kill, Self::Power, Self::PowerKeepingNames, Self::PowerKeepingBytes];
}

#[derive(Clone, Debug, Default)]
struct Inode {
    cache: Vec<u8>,
    drive: Vec<u8>,
    // A sync failed: the cache counts as clean, though the drive has not got it.
    forgotten: bool,
    // Written to the cache since then, so that the next sync writes it.
    dirty: Vec<(usize, Vec<u8>)>,
    // What is written through the cache now never gets there, though syncs succeed: ext4, where blocks were only allocated.
    stuck: bool,
}

impl Inode {
    fn write_out(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        for (begin, bytes) in dirty.into_iter().filter(|_| !self.stuck) {
            let end = begin + bytes.len();
            if self.drive.len() < end {
                self.drive.resize(end, 0);
            }
            self.drive[begin..end].copy_from_slice(&bytes);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Failing {
    Kind(ErrorKind),
    Code(i32),
}

/// A name's inode, or `None` for a folder.
type Names = BTreeMap<PathBuf, Option<usize>>;

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: Names,
    durable: Names,
    calls: usize,
    dies_at: Option<usize>,
    fails_at: Option<(usize, Failing)>,
    room: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CrashDisk(Rc<RefCell<State>>);

#[derive(Debug)]
pub(crate) struct CrashFile {
    disk: CrashDisk,
    path: PathBuf,
    inode: usize,
    transfer: Transfer,
}

fn failed<T>(operation: &'static str, path: &Path, kind: ErrorKind) -> DiskResult<T> {
    Err(DiskError::new(operation, path, Error::from(kind)))
}

impl CrashDisk {
    /// With the folders of `layout`, durable.
    pub(crate) fn new(layout: &Layout) -> Self {
        let disk = Self::default();
        for folder in [layout.raw_live(), layout.raw_history(), layout.raw_spare()] {
            disk.put_folder(&folder);
        }
        disk
    }

    fn put_folder(&self, folder: &Path) {
        let mut state = self.0.borrow_mut();
        for folder in folder.ancestors() {
            state.names.insert(folder.to_owned(), None);
            state.durable.insert(folder.to_owned(), None);
        }
    }

    /// Puts a durable file there.
    pub(crate) fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        self.put_folder(path.as_ref().parent().unwrap());
        let mut state = self.0.borrow_mut();
        let inode = state.inodes.len();
        state.inodes.push(Inode { cache: bytes.to_vec(), drive: bytes.to_vec(), ..Inode::default() });
        state.names.insert(path.as_ref().to_owned(), Some(inode));
        state.durable.insert(path.as_ref().to_owned(), Some(inode));
    }

    /// Replaces what the cache holds of a file, as if the drive had refused it and a sync had failed.
    pub(crate) fn put_in_cache_only(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        let inode = state.names[path.as_ref()].unwrap();
        state.inodes[inode].cache = bytes.to_vec();
        state.inodes[inode].forgotten = true;
    }

    /// As [`Self::put_in_cache_only`], and what is written to the cache does not get to the drive any more.
    pub(crate) fn put_in_cache_for_good(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        self.put_in_cache_only(&path, bytes);
        let mut state = self.0.borrow_mut();
        let inode = state.names[path.as_ref()].unwrap();
        state.inodes[inode].stuck = true;
    }

    /// Paths and bytes of all files, as a process sees them.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.0.borrow();
        let files = state.names.iter().filter_map(|(path, inode)| Some((path.clone(), (*inode)?)));
        files.map(|(path, inode)| (path, state.inodes[inode].cache.clone())).collect()
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    /// The call of this number (from 0) and all after it fail without effect: the process died before it.
    pub(crate) fn die_at(&self, call: usize) {
        let mut state = self.0.borrow_mut();
        state.calls = 0;
        state.dies_at = Some(call);
    }

    /// The call of this number (from 0) fails without effect, once.
    pub(crate) fn fail_at(&self, call: usize, kind: ErrorKind) {
        let mut state = self.0.borrow_mut();
        state.calls = 0;
        state.fails_at = Some((call, Failing::Kind(kind)));
    }

    /// As [`Self::fail_at`], with an error of the system.
    pub(crate) fn fail_with(&self, call: usize, code: i32) {
        let mut state = self.0.borrow_mut();
        state.calls = 0;
        state.fails_at = Some((call, Failing::Code(code)));
    }

    /// How many more bytes may be written.
    pub(crate) fn set_room(&self, bytes: Option<u64>) {
        self.0.borrow_mut().room = bytes;
    }

    /// What the machine shows after a crash.
    pub(crate) fn restart(&self, cut: Cut) {
        let mut state = self.0.borrow_mut();
        state.dies_at = None;
        state.fails_at = None;
        let keep_names = matches!(cut, Cut::Kill | Cut::PowerKeepingNames);
        let keep_bytes = matches!(cut, Cut::Kill | Cut::PowerKeepingBytes);
        if !keep_names {
            state.names = state.durable.clone();
        }
        for inode in &mut state.inodes {
            if !keep_bytes || (cut != Cut::Kill && inode.forgotten) {
                inode.cache = inode.drive.clone();
                (inode.forgotten, inode.stuck) = (false, false);
                inode.dirty.clear();
            }
        }
    }

    fn step(&self, operation: &'static str, path: &Path) -> DiskResult<()> {
        let mut state = self.0.borrow_mut();
        let call = state.calls;
        state.calls += 1;
        if state.dies_at.is_some_and(|dies_at| call >= dies_at) {
            return failed(operation, path, ErrorKind::ConnectionAborted);
        }
        match state.fails_at {
            Some((fails_at, Failing::Kind(kind))) if fails_at == call => failed(operation, path, kind),
            Some((fails_at, Failing::Code(code))) if fails_at == call => {
                Err(DiskError::new(operation, path, Error::from_raw_os_error(code)))
            }
            _ => Ok(()),
        }
    }

    fn find(&self, operation: &'static str, path: &Path, transfer: Transfer) -> DiskResult<CrashFile> {
        self.step(operation, path)?;
        match self.0.borrow().names.get(path) {
            Some(Some(inode)) => {
                Ok(CrashFile { disk: self.clone(), path: path.to_owned(), inode: *inode, transfer })
            }
            Some(None) => failed(operation, path, ErrorKind::IsADirectory),
            None => failed(operation, path, ErrorKind::NotFound),
        }
    }
}

impl Disk for CrashDisk {
    type File = CrashFile;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<CrashFile> {
        self.find("open", path, transfer)
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<CrashFile> {
        self.find("open", path, transfer)
    }

    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<CrashFile> {
        self.step("create", path)?;
        let mut state = self.0.borrow_mut();
        if state.names.contains_key(path) {
            return failed("create", path, ErrorKind::AlreadyExists);
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.names.insert(path.to_owned(), Some(inode));
        Ok(CrashFile { disk: self.clone(), path: path.to_owned(), inode, transfer })
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        self.step("mkdir", path)?;
        let mut state = self.0.borrow_mut();
        for folder in path.ancestors() {
            state.names.entry(folder.to_owned()).or_insert(None);
        }
        Ok(())
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        self.step("list", folder)?;
        let state = self.0.borrow();
        if state.names.get(folder) != Some(&None) {
            return failed("list", folder, ErrorKind::NotFound);
        }
        let children = state.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        Ok(children
            .map(|(path, inode)| Entry {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                kind: if inode.is_some() { EntryKind::File } else { EntryKind::Folder },
            })
            .collect())
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        self.step("stat", path)?;
        let state = self.0.borrow();
        Ok(state.names.get(path).map(|inode| Metadata {
            kind: if inode.is_some() { EntryKind::File } else { EntryKind::Folder },
            len: inode.map_or(0, |inode| state.inodes[inode].cache.len() as u64),
            modified: WallMillis(0),
        }))
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.step("rename", from)?;
        let mut state = self.0.borrow_mut();
        match state.names.get(from).copied() {
            Some(Some(inode)) => {
                state.names.remove(from);
                state.names.insert(to.to_owned(), Some(inode));
                Ok(())
            }
            Some(None) => unreachable!("the raw log renames no folders"),
            None => failed("rename", from, ErrorKind::NotFound),
        }
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.step("unlink", path)?;
        match self.0.borrow_mut().names.remove(path) {
            Some(_) => Ok(()),
            None => failed("unlink", path, ErrorKind::NotFound),
        }
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        unreachable!("the raw log removes no folders: {}", path.display())
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        self.step("fsync", folder)?;
        let mut state = self.0.borrow_mut();
        if state.names.get(folder) != Some(&None) {
            return failed("fsync", folder, ErrorKind::NotFound);
        }
        let inside = |path: &Path| path.parent() == Some(folder);
        let now: Vec<_> =
            state.names.iter().filter(|(path, _)| inside(path)).map(|(p, i)| (p.clone(), *i)).collect();
        state.durable.retain(|path, _| !inside(path));
        state.durable.extend(now);
        Ok(())
    }

    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        unreachable!("the raw log syncs file by file: {}", path.display())
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        unreachable!("the raw log touches nothing: {}", path.display())
    }

    async fn space(&self, path: &Path) -> DiskResult<Space> {
        self.step("statfs", path)?;
        let available_bytes = self.0.borrow().room.unwrap_or(1 << 40);
        Ok(Space { total_bytes: 1 << 40, available_bytes, total_files: 0, available_files: u64::MAX })
    }
}

impl CrashFile {
    fn step(&self, operation: &'static str) -> DiskResult<()> {
        self.disk.step(operation, &self.path)
    }

    fn take_room(&self, bytes: u64) -> DiskResult<()> {
        let mut state = self.disk.0.borrow_mut();
        match &mut state.room {
            Some(room) if *room < bytes => failed("write", &self.path, ErrorKind::StorageFull),
            Some(room) => {
                *room -= bytes;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl DiskFile for CrashFile {
    async fn read_at(&self, mut buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        if let Err(error) = self.step("read") {
            return (Err(error), buffer);
        }
        if self.transfer == Transfer::Direct {
            assert!(offset.is_multiple_of(4096), "direct reads are aligned");
        }
        let mut state = self.disk.0.borrow_mut();
        let inode = &mut state.inodes[self.inode];
        let past_cache = self.transfer == Transfer::Direct && inode.forgotten;
        if past_cache {
            // Dirty pages are written out before the drive is read.
            inode.write_out();
        }
        let bytes = if past_cache { &inode.drive } else { &inode.cache };
        let begin = usize::try_from(offset).unwrap().min(bytes.len());
        let end = bytes.len().min(begin + buffer.capacity());
        buffer.clear();
        buffer.extend(&bytes[begin..end]);
        (Ok(()), buffer)
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        if let Err(error) = self.step("write").and_then(|()| self.take_room(buffer.len() as u64)) {
            return (Err(error), buffer);
        }
        if self.transfer == Transfer::Direct {
            assert!(
                offset.is_multiple_of(4096) && buffer.len().is_multiple_of(4096),
                "direct writes are aligned"
            );
        }
        let mut state = self.disk.0.borrow_mut();
        let inode = &mut state.inodes[self.inode];
        if self.transfer == Transfer::Direct && inode.forgotten {
            inode.write_out();
            inode.cache = inode.drive.clone();
            (inode.forgotten, inode.stuck) = (false, false);
        }
        if inode.forgotten {
            let begin = usize::try_from(offset).unwrap();
            inode.dirty.push((begin, buffer.to_vec()));
        }
        let begin = usize::try_from(offset).unwrap();
        let end = begin + buffer.len();
        if inode.cache.len() < end {
            inode.cache.resize(end, 0);
        }
        inode.cache[begin..end].copy_from_slice(&buffer);
        (Ok(()), buffer)
    }

    async fn sync(&self) -> DiskResult<()> {
        self.step("fdatasync")?;
        let mut state = self.disk.0.borrow_mut();
        let inode = &mut state.inodes[self.inode];
        // What a failed sync gave up is not written by a later one.
        if inode.forgotten {
            inode.write_out();
        } else {
            inode.drive = inode.cache.clone();
        }
        Ok(())
    }

    async fn len(&self) -> DiskResult<u64> {
        self.step("stat")?;
        Ok(self.disk.0.borrow().inodes[self.inode].cache.len() as u64)
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        self.step("truncate")?;
        self.disk.0.borrow_mut().inodes[self.inode].cache.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        self.step("allocate")?;
        self.take_room(len)?;
        self.disk.0.borrow_mut().inodes[self.inode].cache.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
