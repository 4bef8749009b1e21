//! A disk that stops, fails once, or loses what was not synced.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::error::DiskError;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, EntryKind, Metadata, Space, Transfer, parent};
use crate::testing::MemDisk;
use crate::time::WallMillis;

/// What happens at one of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process ends before it: the call never returns.
    Stop,
    /// It fails, once. A sync that fails has lost what it should have made durable, and the next one succeeds.
    Error(ErrorKind),
}

#[derive(Debug, Default)]
struct Inode {
    bytes: RefCell<Vec<u8>>,
    durable: RefCell<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Change {
    Add(PathBuf, Rc<Inode>),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, Rc<Inode>),
}

#[derive(Default)]
struct State {
    folders: RefCell<BTreeSet<PathBuf>>,
    files: RefCell<BTreeMap<PathBuf, Rc<Inode>>>,
    durable: RefCell<BTreeMap<PathBuf, Rc<Inode>>>,
    // Changes of names that no sync covers, in order.
    pending: RefCell<Vec<Change>>,
    calls: Cell<u64>,
    fault: Cell<Option<(u64, Fault)>>,
    interruption: RefCell<Option<(u64, Interruption)>>,
}

type Interruption = Box<dyn FnOnce()>;

/// A filesystem in memory with faults; begins as a copy of a [`MemDisk`], all of it durable.
#[derive(Clone)]
pub(super) struct FaultDisk(Rc<State>);

/// A file of it.
pub(super) struct FaultFile {
    path: PathBuf,
    inode: Rc<Inode>,
    state: Rc<State>,
}

/// A generator of choices; the same seed makes the same ones.
pub(super) struct Choices(pub(super) u64);

impl Choices {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Rc<Inode>>) {
        match self {
            Self::Add(path, inode) => drop(names.insert(path.clone(), inode.clone())),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), inode.clone());
            }
        }
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Add(path, _) | Self::Remove(path) | Self::Rename(_, path, _) => parent(path),
        }
    }
}

impl State {
    async fn call(&self, operation: &'static str, path: &Path) -> DiskResult<()> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        let due = self.interruption.borrow_mut().take_if(|(at, _)| *at == number);
        if let Some((_, interruption)) = due {
            interruption();
        }
        match self.fault.get() {
            Some((at, Fault::Stop)) if at == number => std::future::pending().await,
            Some((at, Fault::Error(kind))) if at == number => failed(operation, path, kind),
            _ => Ok(()),
        }
    }
}

fn failed<T>(operation: &'static str, path: &Path, kind: ErrorKind) -> DiskResult<T> {
    Err(DiskError::new(operation, path, Error::from(kind)))
}

/// Runs a future until it is done (`Some`) or has stopped for good.
pub(super) fn run_to_fault<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl FaultDisk {
    /// A copy of `disk`, on which call number `fault.0` meets `fault.1`.
    pub(super) fn over(disk: &MemDisk, fault: Option<(u64, Fault)>) -> Self {
        let state = State::default();
        for path in disk.files() {
            let bytes = disk.get(&path).unwrap();
            let inode = Rc::new(Inode { bytes: RefCell::new(bytes.clone()), durable: RefCell::new(bytes) });
            state.folders.borrow_mut().extend(path.ancestors().skip(1).map(Path::to_owned));
            state.files.borrow_mut().insert(path.clone(), inode.clone());
            state.durable.borrow_mut().insert(path, inode);
        }
        for folder in [
            super::tree::layout().segments(&super::tree::code()),
            super::tree::layout().optimized(&super::tree::code()),
        ] {
            state.folders.borrow_mut().extend(folder.ancestors().map(Path::to_owned));
        }
        state.fault.set(fault);
        Self(Rc::new(state))
    }

    /// Does `interruption` just before call number `call`.
    pub(super) fn interrupt(&self, call: u64, interruption: impl FnOnce() + 'static) {
        self.0.interruption.replace(Some((call, Box::new(interruption))));
    }

    /// Goes on without faults. What was not durable is not durable yet.
    pub(super) fn heal(&self) {
        self.0.fault.set(None);
    }

    /// Goes on for so many calls, then stops again.
    pub(super) fn stop_after(&self, calls: u64) {
        self.0.fault.set(Some((self.calls() + calls, Fault::Stop)));
    }

    /// Calls so far.
    pub(super) fn calls(&self) -> u64 {
        self.0.calls.get()
    }

    /// What the next process finds if only this one ended.
    pub(super) fn after_kill(&self) -> MemDisk {
        let disk = super::tree::empty_index();
        for (path, inode) in self.0.files.borrow().iter() {
            disk.put(path, &inode.bytes.borrow());
        }
        disk
    }

    /// What is found after a power cut: any of the changes of names that no sync covers have happened, any
    /// blocks that no sync covers are written, others are not or are zero.
    pub(super) fn after_power_cut(&self, choices: &mut Choices) -> MemDisk {
        let mut names = self.0.durable.borrow().clone();
        for change in self.0.pending.borrow().iter() {
            if choices.below(2) == 0 {
                change.apply(&mut names);
            }
        }
        let disk = super::tree::empty_index();
        for (path, inode) in names {
            let (bytes, durable) = (inode.bytes.borrow(), inode.durable.borrow());
            let mut found = if choices.below(2) == 0 { bytes.clone() } else { durable.clone() };
            if *bytes != *durable {
                for (number, block) in found.chunks_mut(64).enumerate() {
                    let old = durable.get(number * 64..).unwrap_or_default();
                    match choices.below(3) {
                        0 => block.fill(0),
                        1 => block.iter_mut().zip(old).for_each(|(new, old)| *new = *old),
                        _ => {}
                    }
                }
            }
            disk.put(path, &found);
        }
        disk
    }

    fn find(&self, operation: &'static str, path: &Path) -> DiskResult<FaultFile> {
        match self.0.files.borrow().get(path) {
            Some(inode) => {
                Ok(FaultFile { path: path.to_owned(), inode: inode.clone(), state: self.0.clone() })
            }
            None => failed(operation, path, ErrorKind::NotFound),
        }
    }

    fn change(&self, change: Change) {
        change.apply(&mut self.0.files.borrow_mut());
        self.0.pending.borrow_mut().push(change);
    }
}

impl Disk for FaultDisk {
    type File = FaultFile;

    async fn open(&self, path: &Path, _transfer: Transfer) -> DiskResult<FaultFile> {
        self.0.call("open", path).await?;
        self.find("open", path)
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<FaultFile> {
        self.open(path, transfer).await
    }

    async fn create(&self, path: &Path, _transfer: Transfer) -> DiskResult<FaultFile> {
        self.0.call("create", path).await?;
        if self.0.files.borrow().contains_key(path) {
            return failed("create", path, ErrorKind::AlreadyExists);
        }
        if !self.0.folders.borrow().contains(parent(path)) {
            return failed("create", path, ErrorKind::NotFound);
        }
        self.change(Change::Add(path.to_owned(), Rc::default()));
        self.find("create", path)
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        self.0.call("mkdir", path).await?;
        self.0.folders.borrow_mut().extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        self.0.call("list", folder).await?;
        if !self.0.folders.borrow().contains(folder) {
            return failed("list", folder, ErrorKind::NotFound);
        }
        let files = self.0.files.borrow();
        let names = files.keys().filter(|path| parent(path) == folder).map(|path| path.file_name().unwrap());
        Ok(names.map(|name| Entry { name: name.to_str().unwrap().into(), kind: EntryKind::File }).collect())
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        self.0.call("stat", path).await?;
        let file = self.find("stat", path).ok();
        Ok(file.map(|file| Metadata {
            kind: EntryKind::File,
            len: file.inode.bytes.borrow().len() as u64,
            modified: WallMillis(0),
        }))
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.0.call("rename", from).await?;
        assert_eq!(parent(from), parent(to), "the jobs under test rename within a folder");
        let inode = self.find("rename", from)?.inode;
        self.change(Change::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.0.call("unlink", path).await?;
        self.find("unlink", path)?;
        self.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    async fn remove_folder(&self, _path: &Path) -> DiskResult<()> {
        unimplemented!("the jobs under test remove no folder")
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        let result = self.0.call("fsync", folder).await;
        let lost = result.is_err();
        self.0.pending.borrow_mut().retain(|change| {
            let covered = change.folder() == folder;
            if covered && !lost {
                change.apply(&mut self.0.durable.borrow_mut());
            }
            !covered
        });
        result
    }

    async fn sync_filesystem(&self, _path: &Path) -> DiskResult<()> {
        unimplemented!("the jobs under test sync files and folders")
    }

    async fn touch(&self, _path: &Path) -> DiskResult<()> {
        unimplemented!("the jobs under test touch nothing")
    }

    async fn space(&self, _path: &Path) -> DiskResult<Space> {
        unimplemented!("the jobs under test don't ask")
    }
}

impl DiskFile for FaultFile {
    async fn read_at(&self, mut buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        if let Err(error) = self.state.call("read", &self.path).await {
            return (Err(error), buffer);
        }
        let bytes = self.inode.bytes.borrow();
        let begin = usize::try_from(offset).unwrap().min(bytes.len());
        let end = bytes.len().min(begin + buffer.capacity());
        buffer.clear();
        buffer.extend(&bytes[begin..end]);
        (Ok(()), buffer)
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        if let Err(error) = self.state.call("write", &self.path).await {
            return (Err(error), buffer);
        }
        let mut bytes = self.inode.bytes.borrow_mut();
        let begin = usize::try_from(offset).unwrap();
        if bytes.len() < begin + buffer.len() {
            bytes.resize(begin + buffer.len(), 0);
        }
        bytes[begin..begin + buffer.len()].copy_from_slice(&buffer);
        (Ok(()), buffer)
    }

    async fn sync(&self) -> DiskResult<()> {
        let result = self.state.call("fdatasync", &self.path).await;
        if result.is_ok() {
            self.inode.durable.replace(self.inode.bytes.borrow().clone());
        }
        result
    }

    async fn len(&self) -> DiskResult<u64> {
        self.state.call("stat", &self.path).await?;
        Ok(self.inode.bytes.borrow().len() as u64)
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        self.state.call("truncate", &self.path).await?;
        self.inode.bytes.borrow_mut().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    async fn allocate(&self, _len: u64) -> DiskResult<()> {
        unimplemented!("the jobs under test don't allocate")
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
