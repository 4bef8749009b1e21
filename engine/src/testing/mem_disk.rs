use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::DiskError;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, EntryKind, Metadata, Space, Transfer};
use crate::time::WallMillis;

type Content = Rc<RefCell<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Node {
    File { content: Content, modified: WallMillis },
    Folder,
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<PathBuf, Node>,
    now: WallMillis,
    available_bytes: Option<u64>,
}

/// A filesystem in memory. Everything succeeds at once; what can't be on a real one can't be here either
/// (creating over a name, removing a folder that is not empty, a file in a missing folder). An open file
/// outlives its name.
#[derive(Clone, Debug, Default)]
pub struct MemDisk(Rc<RefCell<State>>);

/// An open file of a [`MemDisk`].
#[derive(Debug)]
pub struct MemFile {
    path: PathBuf,
    content: Content,
}

fn failed<T>(operation: &'static str, path: &Path, kind: ErrorKind) -> DiskResult<T> {
    Err(DiskError::new(operation, path, Error::from(kind)))
}

/// What is in a folder, at any depth. Paths are ordered by component, so it stands together; scanning all
/// nodes would make a test with thousands of folders quadratic.
fn below<'n>(
    nodes: &'n BTreeMap<PathBuf, Node>,
    folder: &Path,
) -> impl Iterator<Item = (&'n PathBuf, &'n Node)> + use<'n> {
    let folder = folder.to_owned();
    let after = (Bound::Excluded(folder.clone()), Bound::Unbounded);
    nodes.range(after).take_while(move |(path, _)| path.starts_with(&folder))
}

impl MemDisk {
    /// An empty filesystem.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time that files get as their modification time.
    pub fn set_time(&self, now: WallMillis) {
        self.0.borrow_mut().now = now;
    }

    /// Sets what [`Disk::space`] reports as available.
    pub fn set_available_bytes(&self, bytes: u64) {
        self.0.borrow_mut().available_bytes = Some(bytes);
    }

    /// Puts a file there, with its folders.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let path = path.as_ref();
        let mut state = self.0.borrow_mut();
        for folder in path.ancestors().skip(1) {
            state.nodes.insert(folder.to_owned(), Node::Folder);
        }
        let modified = state.now;
        state
            .nodes
            .insert(path.to_owned(), Node::File { content: Rc::new(RefCell::new(bytes.to_vec())), modified });
    }

    /// Bytes of a file, if there is one.
    #[must_use]
    pub fn get(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        match self.0.borrow().nodes.get(path.as_ref()) {
            Some(Node::File { content, .. }) => Some(content.borrow().clone()),
            _ => None,
        }
    }

    /// Paths of all files, in order.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.0.borrow();
        state
            .nodes
            .iter()
            .filter(|(_, node)| matches!(node, Node::File { .. }))
            .map(|(path, _)| path.clone())
            .collect()
    }

    fn find(&self, operation: &'static str, path: &Path) -> DiskResult<MemFile> {
        match self.0.borrow().nodes.get(path) {
            Some(Node::File { content, .. }) => {
                Ok(MemFile { path: path.to_owned(), content: content.clone() })
            }
            Some(Node::Folder) => failed(operation, path, ErrorKind::IsADirectory),
            None => failed(operation, path, ErrorKind::NotFound),
        }
    }
}

impl Disk for MemDisk {
    type File = MemFile;

    async fn open(&self, path: &Path, _transfer: Transfer) -> DiskResult<MemFile> {
        self.find("open", path)
    }

    async fn open_write(&self, path: &Path, _transfer: Transfer) -> DiskResult<MemFile> {
        self.find("open", path)
    }

    async fn create(&self, path: &Path, _transfer: Transfer) -> DiskResult<MemFile> {
        let mut state = self.0.borrow_mut();
        if state.nodes.contains_key(path) {
            return failed("create", path, ErrorKind::AlreadyExists);
        }
        if !matches!(path.parent().and_then(|parent| state.nodes.get(parent)), Some(Node::Folder)) {
            return failed("create", path, ErrorKind::NotFound);
        }
        let content = Content::default();
        let modified = state.now;
        state.nodes.insert(path.to_owned(), Node::File { content: content.clone(), modified });
        Ok(MemFile { path: path.to_owned(), content })
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        let mut state = self.0.borrow_mut();
        for folder in path.ancestors() {
            match state.nodes.get(folder) {
                Some(Node::File { .. }) => return failed("mkdir", folder, ErrorKind::NotADirectory),
                Some(Node::Folder) => {}
                None => {
                    state.nodes.insert(folder.to_owned(), Node::Folder);
                }
            }
        }
        Ok(())
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        let state = self.0.borrow();
        if !matches!(state.nodes.get(folder), Some(Node::Folder)) {
            return failed("list", folder, ErrorKind::NotFound);
        }
        let children = below(&state.nodes, folder).filter(|(path, _)| path.parent() == Some(folder));
        let mut entries: Vec<Entry> = children
            .map(|(path, node)| Entry {
                name: path.file_name().expect("it has a parent").to_string_lossy().into_owned(),
                kind: if matches!(node, Node::Folder) { EntryKind::Folder } else { EntryKind::File },
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        Ok(self.0.borrow().nodes.get(path).map(|node| match node {
            Node::File { content, modified } => {
                Metadata { kind: EntryKind::File, len: content.borrow().len() as u64, modified: *modified }
            }
            Node::Folder => Metadata { kind: EntryKind::Folder, len: 0, modified: WallMillis(0) },
        }))
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        let mut state = self.0.borrow_mut();
        if !state.nodes.contains_key(from) {
            return failed("rename", from, ErrorKind::NotFound);
        }
        if !matches!(to.parent().and_then(|parent| state.nodes.get(parent)), Some(Node::Folder)) {
            return failed("rename", to, ErrorKind::NotFound);
        }
        let moved: Vec<PathBuf> = std::iter::once(from.to_owned())
            .chain(below(&state.nodes, from).map(|(path, _)| path.clone()))
            .collect();
        for path in moved {
            let node = state.nodes.remove(&path).expect("just seen");
            let rest = path.strip_prefix(from).expect("it begins with it");
            let target = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            state.nodes.insert(target, node);
        }
        Ok(())
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.find("unlink", path)?;
        self.0.borrow_mut().nodes.remove(path);
        Ok(())
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        let mut state = self.0.borrow_mut();
        match state.nodes.get(path) {
            Some(Node::Folder) => {}
            Some(Node::File { .. }) => return failed("rmdir", path, ErrorKind::NotADirectory),
            None => return failed("rmdir", path, ErrorKind::NotFound),
        }
        if below(&state.nodes, path).next().is_some() {
            return failed("rmdir", path, ErrorKind::DirectoryNotEmpty);
        }
        state.nodes.remove(path);
        Ok(())
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        match self.0.borrow().nodes.get(folder) {
            Some(Node::Folder) => Ok(()),
            _ => failed("fsync", folder, ErrorKind::NotFound),
        }
    }

    async fn sync_filesystem(&self, _path: &Path) -> DiskResult<()> {
        Ok(())
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        if self.find("touch", path).is_err_and(|error| error.is_not_found()) {
            drop(self.create(path, Transfer::Cached).await?);
        }
        let mut state = self.0.borrow_mut();
        let now = state.now;
        if let Some(Node::File { modified, .. }) = state.nodes.get_mut(path) {
            *modified = now;
        }
        Ok(())
    }

    async fn space(&self, _path: &Path) -> DiskResult<Space> {
        let available_bytes = self.0.borrow().available_bytes.unwrap_or(1 << 40);
        Ok(Space { total_bytes: 1 << 40, available_bytes, total_files: 0, available_files: u64::MAX })
    }
}

impl DiskFile for MemFile {
    async fn read_at(&self, mut buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        let content = self.content.borrow();
        let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let end = content.len().min(begin + buffer.capacity());
        buffer.clear();
        buffer.extend(&content[begin..end]);
        (Ok(()), buffer)
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        let mut content = self.content.borrow_mut();
        let begin = usize::try_from(offset).expect("test files are small");
        let end = begin + buffer.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[begin..end].copy_from_slice(&buffer);
        (Ok(()), buffer)
    }

    async fn sync(&self) -> DiskResult<()> {
        Ok(())
    }

    async fn len(&self) -> DiskResult<u64> {
        Ok(self.content.borrow().len() as u64)
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        self.content.borrow_mut().resize(usize::try_from(len).expect("test files are small"), 0);
        Ok(())
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        self.set_len(len).await
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
