//! Names: those that are visible, those that are durable, and the changes that no sync has covered.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::cut::Cut;
use super::data::Data;
use crate::testing::Choices;
use crate::time::WallMillis;

/// Number of a file or folder.
pub(super) type Inode = usize;

/// What relative paths, and "/", are in.
const ROOT: Inode = 0;

#[derive(Clone, Debug)]
enum Node {
    File(Data),
    Folder(Folder),
}

#[derive(Clone, Debug, Default)]
struct Folder {
    names: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
}

/// One name of one folder, set or removed; no sync has covered it.
#[derive(Clone, Debug)]
struct Change {
    /// Changes of one call have the same one.
    operation: usize,
    folder: Inode,
    name: String,
    inode: Option<Inode>,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    // In order.
    pending: Vec<Change>,
    operations: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::Folder(Folder::default())], pending: Vec::new(), operations: 0 }
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some("/"),
        Component::Normal(name) => name.to_str(),
        Component::Prefix(_) | Component::CurDir | Component::ParentDir => None,
    })
}

/// The folder that holds `path`, and its name there.
fn split(path: &Path) -> Result<(&Path, &str), ErrorKind> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or(ErrorKind::InvalidInput)?;
    Ok((path.parent().unwrap_or(Path::new("")), name))
}

fn set(names: &mut BTreeMap<String, Inode>, name: &str, inode: Option<Inode>) {
    match inode {
        Some(inode) => names.insert(name.to_owned(), inode),
        None => names.remove(name),
    };
}

impl Tree {
    fn find(&self, path: &Path) -> Option<Inode> {
        names(path).try_fold(ROOT, |folder, name| match &self.nodes[folder] {
            Node::Folder(folder) => folder.names.get(name).copied(),
            Node::File(_) => None,
        })
    }

    pub(super) fn file(&self, path: &Path) -> Result<Inode, ErrorKind> {
        match self.find(path) {
            Some(inode) if matches!(self.nodes[inode], Node::File(_)) => Ok(inode),
            Some(_) => Err(ErrorKind::IsADirectory),
            None => Err(ErrorKind::NotFound),
        }
    }

    fn folder(&self, path: &Path) -> Result<Inode, ErrorKind> {
        match self.find(path) {
            Some(inode) if matches!(self.nodes[inode], Node::Folder(_)) => Ok(inode),
            Some(_) => Err(ErrorKind::NotADirectory),
            None => Err(ErrorKind::NotFound),
        }
    }

    fn names_of(&self, folder: Inode) -> &BTreeMap<String, Inode> {
        match &self.nodes[folder] {
            Node::Folder(folder) => &folder.names,
            Node::File(_) => unreachable!("names are in folders"),
        }
    }

    fn folder_mut(&mut self, folder: Inode) -> &mut Folder {
        match &mut self.nodes[folder] {
            Node::Folder(folder) => folder,
            Node::File(_) => unreachable!("names are in folders"),
        }
    }

    /// The bytes of a file.
    pub(super) fn data(&self, inode: Inode) -> &Data {
        match &self.nodes[inode] {
            Node::File(data) => data,
            Node::Folder(_) => unreachable!("only files have bytes"),
        }
    }

    pub(super) fn data_mut(&mut self, inode: Inode) -> &mut Data {
        match &mut self.nodes[inode] {
            Node::File(data) => data,
            Node::Folder(_) => unreachable!("only files have bytes"),
        }
    }

    pub(super) fn data_of(&mut self, path: &Path) -> &mut Data {
        let inode = self.file(path).expect("the test put it there");
        self.data_mut(inode)
    }

    /// What is there: the bytes of a file, or `None` for a folder.
    pub(super) fn look(&self, path: &Path) -> Option<Option<&Data>> {
        self.find(path).map(|inode| match &self.nodes[inode] {
            Node::File(data) => Some(data),
            Node::Folder(_) => None,
        })
    }

    /// Names in a folder, and whether they are of files.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<(String, bool)>, ErrorKind> {
        let names = self.names_of(self.folder(path)?).iter();
        let is_file = |inode: &Inode| matches!(self.nodes[*inode], Node::File(_));
        Ok(names.map(|(name, inode)| (name.clone(), is_file(inode))).collect())
    }

    pub(super) fn files(&self) -> BTreeMap<PathBuf, Inode> {
        let mut files = BTreeMap::new();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, inode)) = open.pop() {
            match &self.nodes[inode] {
                Node::File(_) => drop(files.insert(path, inode)),
                Node::Folder(folder) => {
                    open.extend(folder.names.iter().map(|(name, inode)| (path.join(name), *inode)));
                }
            }
        }
        files
    }

    fn add(&mut self, node: Node) -> Inode {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn change(&mut self, operation: usize, folder: Inode, name: &str, inode: Option<Inode>) {
        set(&mut self.folder_mut(folder).names, name, inode);
        self.pending.push(Change { operation, folder, name: name.to_owned(), inode });
    }

    const fn next_operation(&mut self) -> usize {
        self.operations += 1;
        self.operations
    }

    pub(super) fn create(&mut self, path: &Path, now: WallMillis) -> Result<Inode, ErrorKind> {
        let (folder, name) = split(path)?;
        let folder = self.folder(folder)?;
        if self.names_of(folder).contains_key(name) {
            return Err(ErrorKind::AlreadyExists);
        }
        let inode = self.add(Node::File(Data::durable(&[], now)));
        let operation = self.next_operation();
        self.change(operation, folder, name, Some(inode));
        Ok(inode)
    }

    pub(super) fn create_folder(&mut self, path: &Path) -> Result<(), ErrorKind> {
        let mut folder = ROOT;
        for name in names(path) {
            folder = match self.names_of(folder).get(name) {
                Some(inode) if matches!(self.nodes[*inode], Node::Folder(_)) => *inode,
                Some(_) => return Err(ErrorKind::NotADirectory),
                None => {
                    let (inode, operation) =
                        (self.add(Node::Folder(Folder::default())), self.next_operation());
                    self.change(operation, folder, name, Some(inode));
                    inode
                }
            };
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), ErrorKind> {
        let inode = self.find(from).ok_or(ErrorKind::NotFound)?;
        let ((source, old), (target, new)) = (split(from)?, split(to)?);
        let (source, target) = (self.folder(source)?, self.folder(target)?);
        if let Some(Node::Folder(replaced)) = self.find(to).map(|inode| &self.nodes[inode])
            && !replaced.names.is_empty()
        {
            return Err(ErrorKind::DirectoryNotEmpty);
        }
        let operation = self.next_operation();
        self.change(operation, source, old, None);
        self.change(operation, target, new, Some(inode));
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> Result<(), ErrorKind> {
        self.file(path)?;
        self.remove(path)
    }

    pub(super) fn remove_folder(&mut self, path: &Path) -> Result<(), ErrorKind> {
        if !self.names_of(self.folder(path)?).is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty);
        }
        self.remove(path)
    }

    fn remove(&mut self, path: &Path) -> Result<(), ErrorKind> {
        let (folder, name) = split(path)?;
        let (folder, operation) = (self.folder(folder)?, self.next_operation());
        self.change(operation, folder, name, None);
        Ok(())
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_folder(&mut self, path: &Path) -> Result<(), ErrorKind> {
        let folder = self.folder(path)?;
        self.commit(|change| change.folder == folder);
        Ok(())
    }

    /// The changes in this folder never become durable, though the names are visible.
    pub(super) fn fail_sync_folder(&mut self, path: &Path) {
        if let Ok(folder) = self.folder(path) {
            self.pending.retain(|change| change.folder != folder);
        }
    }

    pub(super) fn sync_all(&mut self) {
        self.commit(|_| true);
        for node in &mut self.nodes {
            if let Node::File(data) = node {
                data.sync();
            }
        }
    }

    pub(super) fn fail_sync_all(&mut self) {
        self.pending.clear();
        for node in &mut self.nodes {
            if let Node::File(data) = node {
                data.fail_sync();
            }
        }
    }

    fn commit(&mut self, mut reached: impl FnMut(&Change) -> bool) {
        for change in std::mem::take(&mut self.pending) {
            if reached(&change) {
                set(&mut self.folder_mut(change.folder).durable, &change.name, change.inode);
            } else {
                self.pending.push(change);
            }
        }
    }

    pub(super) fn put_folder(&mut self, path: &Path) {
        let mut folder = ROOT;
        for name in names(path) {
            let there = self.names_of(folder).get(name).copied();
            let inode = there.unwrap_or_else(|| self.add(Node::Folder(Folder::default())));
            self.put_name(folder, name, inode);
            folder = inode;
        }
    }

    pub(super) fn put(&mut self, path: &Path, bytes: &[u8], now: WallMillis) {
        let (folder, name) = split(path).expect("a file has a name");
        self.put_folder(folder);
        let folder = self.folder(folder).expect("just put there");
        let inode = self.add(Node::File(Data::durable(bytes, now)));
        self.put_name(folder, name, inode);
    }

    fn put_name(&mut self, folder: Inode, name: &str, inode: Inode) {
        self.pending.retain(|change| change.folder != folder || change.name != name);
        let folder = self.folder_mut(folder);
        set(&mut folder.names, name, Some(inode));
        set(&mut folder.durable, name, Some(inode));
    }

    /// What the machine shows after a crash.
    pub(super) fn restart(&mut self, cut: Cut) {
        let mut choices = Choices(0);
        match cut {
            Cut::Kill => return,
            Cut::Power | Cut::PowerKeepingBytes => self.pending.clear(),
            Cut::PowerKeepingNames => self.commit(|_| true),
            Cut::PowerKeepingSome(seed) => {
                choices = Choices(seed);
                let mut kept = BTreeMap::new();
                self.commit(|change| *kept.entry(change.operation).or_insert_with(|| choices.below(2) == 0));
                self.pending.clear();
            }
        }
        for node in &mut self.nodes {
            match node {
                Node::File(data) => data.restart(cut, &mut choices),
                Node::Folder(folder) => folder.names.clone_from(&folder.durable),
            }
        }
    }
}
