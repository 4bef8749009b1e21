use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::MemDisk;
use crate::error::DiskError;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, EntryKind, Metadata, Space, Transfer};
use crate::time::WallMillis;

/// Number of an inode.
type Inode = usize;

const ROOT: Inode = 0;

#[derive(Clone, Debug)]
enum Node {
    File { bytes: Vec<u8>, synced: Vec<u8> },
    Folder { names: BTreeMap<String, Inode>, synced: BTreeMap<String, Inode> },
}

impl Node {
    const fn folder() -> Self {
        Self::Folder { names: BTreeMap::new(), synced: BTreeMap::new() }
    }
}

/// A filesystem in memory whose power can be cut: then everything is as it was last synced. A file's bytes and
/// its name are synced apart. This is the worst that a filesystem may do short of lying.
#[derive(Clone, Debug)]
pub struct PowerDisk(Rc<RefCell<Vec<Node>>>);

/// An open file of a [`PowerDisk`].
#[derive(Debug)]
pub struct PowerFile {
    disk: PowerDisk,
    path: PathBuf,
    inode: Inode,
}

fn fail<T>(operation: &'static str, path: &Path, kind: ErrorKind) -> DiskResult<T> {
    Err(DiskError::new(operation, path, Error::from(kind)))
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

fn name(path: &Path) -> String {
    names(path).last().expect("nobody works on the root").to_owned()
}

impl PowerDisk {
    /// A disk with the files of `memory`, all of them synced.
    #[must_use]
    pub fn of(memory: &MemDisk) -> Self {
        let disk = Self(Rc::new(RefCell::new(vec![Node::folder()])));
        for path in memory.files() {
            disk.create_folders(path.parent().expect("it has a folder"));
            let bytes = memory.get(&path).expect("it was listed");
            let folder = disk.find(path.parent().expect("it has a folder")).expect("just created");
            disk.add(folder, &name(&path), Node::File { bytes, synced: Vec::new() });
        }
        disk.sync_all();
        disk
    }

    /// Cuts the power and starts again.
    pub fn cut_power(&self) {
        for node in self.0.borrow_mut().iter_mut() {
            match node {
                Node::File { bytes, synced } => bytes.clone_from(synced),
                Node::Folder { names, synced } => names.clone_from(synced),
            }
        }
    }

    /// What is visible, to look at.
    #[must_use]
    pub fn copy(&self) -> MemDisk {
        let memory = MemDisk::new();
        let mut open = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, inode)) = open.pop() {
            match &self.0.borrow()[inode] {
                Node::File { bytes, .. } => memory.put(&path, bytes),
                Node::Folder { names, .. } => {
                    // Also if it is empty.
                    memory.put(path.join("x"), b"");
                    super::run(memory.remove_file(&path.join("x"))).expect("just put there");
                    open.extend(names.iter().map(|(name, inode)| (path.join(name), *inode)));
                }
            }
        }
        memory
    }

    fn sync_all(&self) {
        for node in self.0.borrow_mut().iter_mut() {
            match node {
                Node::File { bytes, synced } => synced.clone_from(bytes),
                Node::Folder { names, synced } => synced.clone_from(names),
            }
        }
    }

    fn find(&self, path: &Path) -> Option<Inode> {
        let nodes = self.0.borrow();
        names(path).try_fold(ROOT, |folder, name| match &nodes[folder] {
            Node::Folder { names, .. } => names.get(name).copied(),
            Node::File { .. } => None,
        })
    }

    fn found(&self, operation: &'static str, path: &Path) -> DiskResult<Inode> {
        self.find(path).map_or_else(|| fail(operation, path, ErrorKind::NotFound), Ok)
    }

    /// The names in a folder.
    fn within<T>(
        &self,
        operation: &'static str,
        folder: &Path,
        work: impl FnOnce(&mut BTreeMap<String, Inode>) -> T,
    ) -> DiskResult<T> {
        let inode = self.found(operation, folder)?;
        match &mut self.0.borrow_mut()[inode] {
            Node::Folder { names, .. } => Ok(work(names)),
            Node::File { .. } => fail(operation, folder, ErrorKind::NotADirectory),
        }
    }

    fn add(&self, folder: Inode, name: &str, node: Node) -> Inode {
        let mut nodes = self.0.borrow_mut();
        let inode = nodes.len();
        nodes.push(node);
        match &mut nodes[folder] {
            Node::Folder { names, .. } => names.insert(name.to_owned(), inode),
            Node::File { .. } => panic!("not a folder"),
        };
        inode
    }

    fn create_folders(&self, path: &Path) {
        let mut inode = ROOT;
        let mut at = PathBuf::from("/");
        for name in names(path) {
            at.push(name);
            inode = self.find(&at).unwrap_or_else(|| self.add(inode, name, Node::folder()));
        }
    }

    fn opened(&self, path: &Path) -> DiskResult<PowerFile> {
        let inode = self.found("open", path)?;
        Ok(PowerFile { disk: self.clone(), path: path.to_owned(), inode })
    }

    fn is_folder(&self, inode: Inode) -> bool {
        matches!(self.0.borrow()[inode], Node::Folder { .. })
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().expect("nobody works on the root")
}

impl Disk for PowerDisk {
    type File = PowerFile;

    async fn open(&self, path: &Path, _transfer: Transfer) -> DiskResult<PowerFile> {
        self.opened(path)
    }

    async fn open_write(&self, path: &Path, _transfer: Transfer) -> DiskResult<PowerFile> {
        self.opened(path)
    }

    async fn create(&self, path: &Path, _transfer: Transfer) -> DiskResult<PowerFile> {
        if self.find(path).is_some() {
            return fail("create", path, ErrorKind::AlreadyExists);
        }
        let folder = self.found("create", folder_of(path))?;
        self.add(folder, &name(path), Node::File { bytes: Vec::new(), synced: Vec::new() });
        self.opened(path)
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        self.create_folders(path);
        Ok(())
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        let names = self.within("list", folder, |names| names.clone())?;
        let entry = |(name, inode)| {
            let kind = if self.is_folder(inode) { EntryKind::Folder } else { EntryKind::File };
            Entry { name, kind }
        };
        Ok(names.into_iter().map(entry).collect())
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        Ok(self.find(path).map(|inode| match &self.0.borrow()[inode] {
            Node::File { bytes, .. } => {
                Metadata { kind: EntryKind::File, len: bytes.len() as u64, modified: WallMillis(0) }
            }
            Node::Folder { .. } => Metadata { kind: EntryKind::Folder, len: 0, modified: WallMillis(0) },
        }))
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        let inode = self.found("rename", from)?;
        self.found("rename", folder_of(to))?;
        self.within("rename", folder_of(from), |names| names.remove(&name(from)))?;
        self.within("rename", folder_of(to), |names| names.insert(name(to), inode))?;
        Ok(())
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.found("unlink", path)?;
        self.within("unlink", folder_of(path), |names| names.remove(&name(path)))?;
        Ok(())
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        if !self.within("rmdir", path, |names| names.is_empty())? {
            return fail("rmdir", path, ErrorKind::DirectoryNotEmpty);
        }
        self.within("rmdir", folder_of(path), |names| names.remove(&name(path)))?;
        Ok(())
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        let inode = self.found("fsync", folder)?;
        match &mut self.0.borrow_mut()[inode] {
            Node::Folder { names, synced } => synced.clone_from(names),
            Node::File { .. } => return fail("fsync", folder, ErrorKind::NotADirectory),
        }
        Ok(())
    }

    async fn sync_filesystem(&self, _path: &Path) -> DiskResult<()> {
        self.sync_all();
        Ok(())
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        if self.find(path).is_none() {
            drop(self.create(path, Transfer::Cached).await?);
        }
        Ok(())
    }

    async fn space(&self, _path: &Path) -> DiskResult<Space> {
        Ok(Space {
            total_bytes: 1 << 40,
            available_bytes: 1 << 40,
            total_files: 0,
            available_files: u64::MAX,
        })
    }
}

impl PowerFile {
    fn bytes<T>(&self, work: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>) -> T) -> T {
        match &mut self.disk.0.borrow_mut()[self.inode] {
            Node::File { bytes, synced } => work(bytes, synced),
            Node::Folder { .. } => panic!("only files are read and written"),
        }
    }
}

impl DiskFile for PowerFile {
    async fn read_at(&self, mut buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        self.bytes(|bytes, _| {
            let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let end = bytes.len().min(begin + buffer.capacity());
            buffer.clear();
            buffer.extend(&bytes[begin..end]);
        });
        (Ok(()), buffer)
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        self.bytes(|bytes, _| {
            let begin = usize::try_from(offset).expect("test files are small");
            bytes.resize(bytes.len().max(begin + buffer.len()), 0);
            bytes[begin..begin + buffer.len()].copy_from_slice(&buffer);
        });
        (Ok(()), buffer)
    }

    async fn sync(&self) -> DiskResult<()> {
        self.bytes(|bytes, synced| synced.clone_from(bytes));
        Ok(())
    }

    async fn len(&self) -> DiskResult<u64> {
        Ok(self.bytes(|bytes, _| bytes.len() as u64))
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        self.bytes(|bytes, _| bytes.resize(usize::try_from(len).expect("test files are small"), 0));
        Ok(())
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        self.set_len(len).await
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::disk::publish_small;
    use crate::testing::{StepDisk, Stepped, run};

    #[test]
    fn what_was_not_synced_is_gone_and_a_file_is_published_whole_or_not_at_all() {
        let memory = MemDisk::new();
        memory.put("/a/file", b"old");
        for steps in 0.. {
            let disk = PowerDisk::of(&memory);
            let slow = StepDisk(disk.clone());
            let ended =
                Stepped::new(publish_small(&slow, Path::new("/a/file"), b"new")).steps(steps).is_some();
            disk.cut_power();
            let found = disk.copy().get("/a/file").unwrap();
            assert!(found == b"new" || (found == b"old" && !ended), "after {steps} calls");
            if ended {
                break;
            }
        }
        let disk = PowerDisk::of(&memory);
        run(disk.create(Path::new("/a/other"), Transfer::Cached)).unwrap();
        assert_eq!(disk.copy().files().len(), 2);
        disk.cut_power();
        assert_eq!(disk.copy().files().len(), 1);
    }
}
