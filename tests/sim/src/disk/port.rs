//! The disk as background work sees it.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::io::{
    AlignedBuf, Disk, DiskFile, DiskResult, Entry, EntryKind, Metadata, Space, Transfer,
};
use logtank_engine::time::{Clock, WallMillis};

use super::crash::{CutPolicy, MetadataModel};
use super::faults::{self, Faults};
use super::tree::{Copied, Hidden, Inode, Node, Tree};
use crate::mutants::Tampering;
use crate::random::Random;
use crate::world::{Executor, SimClock};

/// The model disk. Each call takes virtual time, does what it does at its beginning or its end, and may fail.
#[derive(Clone)]
pub struct SimDisk(pub(super) Rc<Shared>);

pub(super) struct Shared {
    pub(super) executor: Executor,
    clock: SimClock,
    pub(super) tree: RefCell<Tree>,
    pub(super) faults: Faults,
    pub(super) tampering: Tampering,
    /// How many calls of background work about bytes of the raw log in use a fault made fail, and how many of these were syncs.
    struck_raw: Cell<(u64, u64)>,
}

/// An open file of a [`SimDisk`].
pub struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: Inode,
    direct: bool,
}

/// What a call does to the drive, by which its faults are chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Sync,
    Names,
    Look,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(
        seed: u64,
        executor: Executor,
        clock: SimClock,
        model: MetadataModel,
        tampering: Tampering,
    ) -> Self {
        Self(Rc::new(Shared {
            executor,
            clock,
            tree: RefCell::new(Tree::new(model)),
            faults: Faults::new(seed),
            tampering,
            struck_raw: Cell::default(),
        }))
    }

    /// What it does wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// What it leaves out on purpose.
    #[must_use]
    pub fn tampering(&self) -> Tampering {
        self.0.tampering
    }

    /// How many calls of background work about bytes of the raw log in use failed because of a fault, and how many of these
    /// were syncs, so far.
    #[must_use]
    pub fn struck_raw(&self) -> (u64, u64) {
        self.0.struck_raw.get()
    }

    /// Cuts the power. Nobody may be using the disk.
    pub fn cut_power(&self, names: CutPolicy, bytes: CutPolicy) {
        self.0.tree.borrow_mut().cut_power(names, bytes, self.0.faults.random());
    }

    /// The process was killed, and memory was scarce: clean pages are dropped.
    pub fn evict(&self) {
        self.0.tree.borrow_mut().evict(self.0.faults.random());
    }

    /// Paths and lengths of all files, as the cache shows them.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        let tree = self.0.tree.borrow();
        let files = tree.reachable().into_iter().filter_map(|(inode, path)| match tree.node(inode) {
            Node::File(data) => Some((PathBuf::from(path), data.len())),
            Node::Folder(_) => None,
        });
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.tree.borrow().used()
    }

    /// A file's bytes, as the cache shows them.
    #[must_use]
    pub fn peek(&self, path: &Path) -> Option<Vec<u8>> {
        let mut tree = self.0.tree.borrow_mut();
        let inode = tree.file(path).ok()?;
        Some(tree.data(inode).shown(false).to_vec())
    }

    /// Whether names in this folder are on their way to the drive.
    #[must_use]
    pub fn has_names_under_way(&self, folder: &Path) -> bool {
        self.0.tree.borrow().names_under_way(folder) > 0
    }

    /// How many files were removed from this folder, of which a power cut may bring any back.
    #[must_use]
    pub fn removals_under_way(&self, folder: &Path) -> usize {
        self.0.tree.borrow().removals_under_way(folder)
    }

    /// Puts a file there that always was.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut tree = self.0.tree.borrow_mut();
        if let Some(folder) = path.parent() {
            tree.create_folder(folder).expect("nothing else has these names");
        }
        let inode = tree.create(path).expect("each is put once");
        let number = tree.next_number();
        tree.data(inode).write(number, 0, bytes);
        let all = tree.last_number();
        tree.sync_all(all);
    }

    /// Takes a file away, as if it had never been.
    pub fn remove(&self, path: &Path) {
        let mut tree = self.0.tree.borrow_mut();
        let _ = tree.remove_file(path);
        let all = tree.last_number();
        tree.sync_all(all);
    }

    /// Has an empty folder in the place of this one, as where a drive is not mounted; but with what has the name `but` in it.
    /// What is on its way to the drive stays on its way.
    #[must_use]
    pub fn hide(&self, folder: &Path, but: Option<&str>) -> Hidden {
        self.0.tree.borrow_mut().hide(folder, but)
    }

    /// Copies a folder, without what has the name `but` in it.
    #[must_use]
    pub fn copy(&self, folder: &Path, but: &str) -> Copied {
        self.0.tree.borrow_mut().copy(folder, but)
    }

    /// As [`Self::hide`], with a copy instead of an empty folder.
    #[must_use]
    pub fn replace(&self, folder: &Path, copied: &Copied, but: &str) -> Hidden {
        self.0.tree.borrow_mut().replace(folder, copied, Some(but))
    }

    /// Shows it again; returns whether nothing was put in its place meanwhile.
    #[must_use]
    pub fn show(&self, hidden: Hidden) -> bool {
        self.0.tree.borrow_mut().show(hidden)
    }

    /// Flips one bit of a file, everywhere.
    pub fn flip(&self, path: &Path, byte: usize, bit: u32) {
        let mut tree = self.0.tree.borrow_mut();
        if let Ok(inode) = tree.file(path) {
            tree.data(inode).flip(byte, bit);
        }
    }

    async fn call<T>(
        &self,
        verb: Verb,
        kind: Kind,
        path: &Path,
        effect: impl FnOnce(&mut Tree, &Random) -> Result<T, ErrorKind>,
    ) -> DiskResult<T> {
        let Shared { executor, faults, tree, .. } = &*self.0;
        executor.trace().note(verb.as_str(), path.to_str().unwrap_or_default(), 0);
        executor.trace().count(verb.as_str());
        let chance = match kind {
            Kind::Read => Some((&faults.reads, "read error")),
            Kind::Write => Some((&faults.writes, "write error")),
            Kind::Sync => Some((&faults.syncs, "sync error")),
            Kind::Names => Some((&faults.names, "error of a name")),
            Kind::Look => None,
        };
        let ends = faults.ends(executor.now(), kind == Kind::Sync);
        if let Some((_, what)) = chance.filter(|(chance, _)| faults.strikes(chance)) {
            if path.starts_with("/data/raw/live") && matches!(kind, Kind::Read | Kind::Write | Kind::Sync) {
                let (all, syncs) = self.0.struck_raw.get();
                self.0.struck_raw.set((all + 1, syncs + u64::from(kind == Kind::Sync)));
            }
            executor.trace().note(what, "", 0);
            executor.trace().count(what);
            executor.sleep_until(ends).await;
            return Err(DiskError::new(verb, path, faults::io_error()));
        }
        // A crash while the call is under way may find it done or not.
        let early = kind != Kind::Sync && faults.random().percent(50);
        if !early {
            executor.sleep_until(ends).await;
        }
        let result = effect(&mut tree.borrow_mut(), faults.random());
        if early {
            executor.sleep_until(ends).await;
        }
        result.map_err(|kind| {
            executor.trace().note("refused", verb.as_str(), 0);
            DiskError::new(verb, path, kind.into())
        })
    }

    async fn open_file(&self, verb: Verb, path: &Path, transfer: Transfer) -> DiskResult<SimFile> {
        self.descriptor(verb, path).await?;
        let inode = self.call(verb, Kind::Look, path, |tree, _| tree.file(path)).await?;
        Ok(self.opened(path, inode, transfer))
    }

    /// One is needed for each open file, and for a folder while it is listed or synced.
    async fn descriptor(&self, verb: Verb, path: &Path) -> DiskResult<()> {
        let Shared { executor, faults, .. } = &*self.0;
        let Err(source) = faults.descriptor() else { return Ok(()) };
        executor.trace().note("no descriptor", verb.as_str(), 0);
        executor.trace().count("calls without a descriptor");
        executor.sleep_until(faults.ends(executor.now(), false)).await;
        Err(DiskError::new(verb, path, source))
    }

    fn opened(&self, path: &Path, inode: Inode, transfer: Transfer) -> SimFile {
        let direct = transfer == Transfer::Direct && !self.0.tampering.reads_through_the_cache();
        SimFile { disk: self.clone(), path: path.to_owned(), inode, direct }
    }

    /// Whether so many more bytes fit.
    fn fits(&self, tree: &Tree, more: usize) -> Result<(), ErrorKind> {
        let capacity = self.0.faults.capacity.get();
        let full = capacity < u64::MAX && tree.used() + more as u64 > capacity;
        if full {
            self.0.executor.trace().count("drive full");
        }
        if full { Err(ErrorKind::StorageFull) } else { Ok(()) }
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<SimFile> {
        self.open_file(Verb::Open, path, transfer).await
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<SimFile> {
        self.open_file(Verb::Open, path, transfer).await
    }

    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<SimFile> {
        self.descriptor(Verb::Create, path).await?;
        let wall = self.0.clock.now().wall.0;
        let create = |tree: &mut Tree, _: &Random| {
            self.fits(tree, 1)?;
            let inode = tree.create(path)?;
            tree.data(inode).modified = wall;
            Ok(inode)
        };
        let inode = self.call(Verb::Create, Kind::Names, path, create).await?;
        Ok(self.opened(path, inode, transfer))
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        let create = |tree: &mut Tree, _: &Random| {
            self.fits(tree, 1)?;
            tree.create_folder(path)
        };
        self.call(Verb::Mkdir, Kind::Names, path, create).await
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        self.descriptor(Verb::List, folder).await?;
        let list = |tree: &mut Tree, _: &Random| {
            let entry = |(name, inode): (&String, &Inode)| Entry {
                name: name.clone(),
                kind: match tree.node(*inode) {
                    Node::File(_) => EntryKind::File,
                    Node::Folder(_) => EntryKind::Folder,
                },
            };
            Ok(tree.folder(folder)?.names.iter().map(entry).collect())
        };
        self.call(Verb::List, Kind::Read, folder, list).await
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        let look = |tree: &mut Tree, _: &Random| {
            Ok(tree.find(path).map(|inode| match tree.node(inode) {
                Node::File(data) => {
                    let (len, modified) = (data.len() as u64, WallMillis(data.modified));
                    Metadata { kind: EntryKind::File, len, modified }
                }
                Node::Folder(_) => Metadata { kind: EntryKind::Folder, len: 0, modified: WallMillis(0) },
            }))
        };
        self.call(Verb::Stat, Kind::Look, path, look).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.call(Verb::Rename, Kind::Names, from, |tree, _| tree.rename(from, to)).await
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        let faults = &self.0.faults;
        let remove = |tree: &mut Tree, _: &Random| {
            if faults.strikes(&faults.removals) { Err(ErrorKind::Other) } else { tree.remove_file(path) }
        };
        self.call(Verb::Unlink, Kind::Names, path, remove).await
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        self.call(Verb::Rmdir, Kind::Names, path, |tree, _| tree.remove_folder(path)).await
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        self.descriptor(Verb::Open, folder).await?;
        let sorted = || {
            let tree = self.0.tree.borrow();
            tree.folder(folder).is_ok_and(|folder| folder.names.keys().any(|name| name.contains(".sorted_")))
        };
        if self.0.tampering.skips_folder_sync(folder, sorted) {
            return self.call(Verb::Fsync, Kind::Look, folder, |tree, _| tree.folder(folder).map(drop)).await;
        }
        let up_to = self.0.tree.borrow().last_number();
        self.call(Verb::Fsync, Kind::Sync, folder, |tree, _| tree.sync_folder(folder, up_to)).await
    }

    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        if self.0.tampering.skips_filesystem_sync() {
            return Ok(());
        }
        let up_to = self.0.tree.borrow().last_number();
        let sync = |tree: &mut Tree, _: &Random| {
            tree.sync_all(up_to);
            Ok(())
        };
        self.call(Verb::Syncfs, Kind::Sync, path, sync).await
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        let wall = self.0.clock.now().wall.0;
        let touch = |tree: &mut Tree, _: &Random| {
            let inode = match tree.file(path) {
                Err(ErrorKind::NotFound) => tree.create(path)?,
                found => found?,
            };
            tree.data(inode).modified = wall;
            Ok(())
        };
        self.call(Verb::Touch, Kind::Names, path, touch).await
    }

    async fn space(&self, path: &Path) -> DiskResult<Space> {
        let capacity = self.0.faults.capacity.get().min(1 << 40);
        let used = self.call(Verb::Statfs, Kind::Look, path, |tree, _| Ok(tree.used())).await?;
        let available_bytes = capacity.saturating_sub(used);
        Ok(Space { total_bytes: capacity, available_bytes, total_files: 0, available_files: u64::MAX })
    }
}

impl SimFile {
    async fn call<T>(
        &self,
        verb: Verb,
        kind: Kind,
        effect: impl FnOnce(&mut Tree, &Random) -> Result<T, ErrorKind>,
    ) -> DiskResult<T> {
        self.disk.call(verb, kind, &self.path, effect).await
    }
}

impl DiskFile for SimFile {
    async fn read_at(&self, mut buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        buffer.clear();
        let read = |tree: &mut Tree, _: &Random| {
            let shown = tree.data(self.inode).shown(self.direct);
            let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(shown.len());
            let end = shown.len().min(begin + buffer.capacity());
            buffer.extend(&shown[begin..end]);
            Ok(())
        };
        let result = self.call(Verb::Read, Kind::Read, read).await;
        (result, buffer)
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        let begin = usize::try_from(offset).expect("files of a simulation are small");
        let wall = self.disk.0.clock.now().wall.0;
        let write = |tree: &mut Tree, _: &Random| {
            let more = (begin + buffer.len()).saturating_sub(tree.data(self.inode).len());
            if more > 0 {
                self.disk.fits(tree, more)?;
            }
            let number = tree.next_number();
            let data = tree.data(self.inode);
            data.write(number, begin, &buffer);
            data.modified = wall;
            Ok(())
        };
        let result = self.call(Verb::Write, Kind::Write, write).await;
        (result, buffer)
    }

    async fn sync(&self) -> DiskResult<()> {
        if self.disk.0.tampering.skips_sync(&self.path) {
            return Ok(());
        }
        let up_to = self.disk.0.tree.borrow().last_number();
        let sync = |tree: &mut Tree, _: &Random| {
            tree.data(self.inode).sync(up_to);
            Ok(())
        };
        let result = self.call(Verb::Fdatasync, Kind::Sync, sync).await;
        if result.is_err() {
            let mut tree = self.disk.0.tree.borrow_mut();
            tree.data(self.inode).fail_sync(up_to, self.disk.0.faults.random());
        }
        result
    }

    async fn len(&self) -> DiskResult<u64> {
        Ok(self.disk.0.tree.borrow_mut().data(self.inode).len() as u64)
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        let len = usize::try_from(len).expect("files of a simulation are small");
        let set = |tree: &mut Tree, _: &Random| {
            let more = len.saturating_sub(tree.data(self.inode).len());
            if more > 0 {
                self.disk.fits(tree, more)?;
            }
            let number = tree.next_number();
            tree.data(self.inode).set_len(number, len);
            Ok(())
        };
        self.call(Verb::Truncate, Kind::Write, set).await
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        self.set_len(len).await
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Results of the kernel, for the shards' operations.
pub(super) type IoResult<T> = io::Result<T>;
