use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path};

use logtank_engine::format::names::is_temporary;

use super::crash::MetadataModel;
use super::file::FileData;

/// Number of a file or folder.
pub(super) type Inode = usize;

pub(super) const ROOT: Inode = 0;

#[derive(Debug)]
pub(super) enum Node {
    File(FileData),
    Folder(Folder),
}

#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) names: BTreeMap<String, Inode>,
    pub(super) durable: BTreeMap<String, Inode>,
}

/// One name of one folder, set or removed; on its way to the drive.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) number: u64,
    /// Steps of one operation have the same one.
    pub(super) operation: u64,
    pub(super) folder: Inode,
    name: String,
    inode: Option<Inode>,
}

impl Step {
    /// Whether a file has gone that had got its final name.
    pub(super) fn removes(&self) -> bool {
        self.inode.is_none() && !is_temporary(&self.name)
    }
}

/// All files and folders.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) journal: Vec<Step>,
    pub(super) model: MetadataModel,
    /// Numbers changes, of bytes and of names.
    numbers: u64,
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

fn name(path: &Path) -> Result<&str, ErrorKind> {
    names(path).last().ok_or(ErrorKind::InvalidInput)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

impl Tree {
    pub(super) fn new(model: MetadataModel) -> Self {
        Self { nodes: vec![Node::Folder(Folder::default())], journal: Vec::new(), model, numbers: 0 }
    }

    /// A number greater than those of all changes so far.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The number of the last change: a sync that begins now covers all up to it.
    pub(super) const fn last_number(&self) -> u64 {
        self.numbers
    }

    pub(super) fn find(&self, path: &Path) -> Option<Inode> {
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

    fn folder_inode(&self, path: &Path) -> Result<Inode, ErrorKind> {
        match self.find(path) {
            Some(inode) if matches!(self.nodes[inode], Node::Folder(_)) => Ok(inode),
            Some(_) => Err(ErrorKind::NotADirectory),
            None => Err(ErrorKind::NotFound),
        }
    }

    pub(super) fn folder(&self, path: &Path) -> Result<&Folder, ErrorKind> {
        match &self.nodes[self.folder_inode(path)?] {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(ErrorKind::NotADirectory),
        }
    }

    /// The bytes of an open file.
    pub(super) fn data(&mut self, inode: Inode) -> &mut FileData {
        match &mut self.nodes[inode] {
            Node::File(data) => data,
            Node::Folder(_) => unreachable!("only files are open"),
        }
    }

    fn record(&mut self, operation: u64, folder: Inode, name: &str, inode: Option<Inode>) {
        let Node::Folder(entries) = &mut self.nodes[folder] else { unreachable!("names are in folders") };
        match inode {
            Some(inode) => entries.names.insert(name.to_owned(), inode),
            None => entries.names.remove(name),
        };
        let number = self.next_number();
        self.journal.push(Step { number, operation, folder, name: name.to_owned(), inode });
    }

    pub(super) fn create(&mut self, path: &Path) -> Result<Inode, ErrorKind> {
        let folder = self.folder_inode(folder_of(path))?;
        if self.find(path).is_some() {
            return Err(ErrorKind::AlreadyExists);
        }
        self.nodes.push(Node::File(FileData::default()));
        let (inode, operation) = (self.nodes.len() - 1, self.next_number());
        self.record(operation, folder, name(path)?, Some(inode));
        Ok(inode)
    }

    pub(super) fn create_folder(&mut self, path: &Path) -> Result<(), ErrorKind> {
        let mut folder = ROOT;
        for name in names(path) {
            let Node::Folder(entries) = &self.nodes[folder] else { return Err(ErrorKind::NotADirectory) };
            folder = match entries.names.get(name) {
                Some(inode) => *inode,
                None => {
                    self.nodes.push(Node::Folder(Folder::default()));
                    let (inode, operation) = (self.nodes.len() - 1, self.next_number());
                    self.record(operation, folder, name, Some(inode));
                    inode
                }
            };
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), ErrorKind> {
        let inode = self.find(from).ok_or(ErrorKind::NotFound)?;
        let (source, target) = (self.folder_inode(folder_of(from))?, self.folder_inode(folder_of(to))?);
        if let Some(Node::Folder(replaced)) = self.find(to).map(|inode| &self.nodes[inode])
            && !replaced.names.is_empty()
        {
            return Err(ErrorKind::DirectoryNotEmpty);
        }
        let operation = self.next_number();
        self.record(operation, source, name(from)?, None);
        self.record(operation, target, name(to)?, Some(inode));
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> Result<(), ErrorKind> {
        self.file(path)?;
        let (folder, operation) = (self.folder_inode(folder_of(path))?, self.next_number());
        self.record(operation, folder, name(path)?, None);
        Ok(())
    }

    pub(super) fn remove_folder(&mut self, path: &Path) -> Result<(), ErrorKind> {
        if !self.folder(path)?.names.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty);
        }
        let (folder, operation) = (self.folder_inode(folder_of(path))?, self.next_number());
        self.record(operation, folder, name(path)?, None);
        Ok(())
    }

    /// Makes the names in a folder durable, as they were when the change of this number was made.
    pub(super) fn sync_folder(&mut self, path: &Path, up_to: u64) -> Result<(), ErrorKind> {
        let inode = self.folder_inode(path)?;
        let everywhere = self.model == MetadataModel::Journal;
        self.commit(|step| step.number <= up_to && (everywhere || step.folder == inode));
        Ok(())
    }

    /// Makes everything durable up to the change of this number.
    pub(super) fn sync_all(&mut self, up_to: u64) {
        self.commit(|step| step.number <= up_to);
        for node in &mut self.nodes {
            if let Node::File(data) = node {
                data.sync(up_to);
            }
        }
    }

    /// The steps for which `reached` says so get to the drive, in order.
    pub(super) fn commit(&mut self, mut reached: impl FnMut(&Step) -> bool) {
        let steps = std::mem::take(&mut self.journal);
        for step in steps {
            if !reached(&step) {
                self.journal.push(step);
                continue;
            }
            let Node::Folder(folder) = &mut self.nodes[step.folder] else {
                unreachable!("names are in folders")
            };
            match step.inode {
                Some(inode) => folder.durable.insert(step.name, inode),
                None => folder.durable.remove(&step.name),
            };
        }
    }

    /// Inodes that can be reached by visible names, with their paths.
    pub(super) fn reachable(&self) -> BTreeMap<Inode, String> {
        let mut found = BTreeMap::new();
        let mut open = vec![(ROOT, String::new())];
        while let Some((inode, path)) = open.pop() {
            if let Node::Folder(folder) = &self.nodes[inode] {
                open.extend(folder.names.iter().map(|(name, inode)| (*inode, format!("{path}/{name}"))));
            }
            found.insert(inode, path);
        }
        found
    }

    /// Bytes of all files that have a name.
    pub(super) fn used(&self) -> u64 {
        let (mut used, mut open) = (0, vec![ROOT]);
        while let Some(inode) = open.pop() {
            match &self.nodes[inode] {
                Node::Folder(folder) => open.extend(folder.names.values()),
                Node::File(data) => used += data.len() as u64,
            }
        }
        used
    }
}
