//! Files and folders, as they are shown and as they are on the drive.

mod hidden;
mod journal;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path};

use super::crash::{CutPolicy, MetadataModel};
use super::file::FileData;
use crate::random::Random;

use journal::{Journal, Step};

pub use hidden::{Copied, Hidden};

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

/// All files and folders.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    journal: Journal,
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
        Self { nodes: vec![Node::Folder(Folder::default())], journal: Journal::new(model) }
    }

    /// A number greater than those of all changes so far.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.journal.next_number()
    }

    /// The number of the last change: a sync that begins now covers all up to it.
    pub(super) const fn last_number(&self) -> u64 {
        self.journal.last_number()
    }

    pub(super) fn node(&self, inode: Inode) -> &Node {
        &self.nodes[inode]
    }

    /// How many names in a folder are on their way to the drive.
    pub(super) fn names_under_way(&self, folder: &Path) -> usize {
        self.journal.under_way(self.find(folder))
    }

    /// How many names of files are being removed from a folder.
    pub(super) fn removals_under_way(&self, folder: &Path) -> usize {
        self.journal.removals_under_way(self.find(folder))
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
        self.journal.record(operation, folder, name, inode);
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
        let steps = self.journal.take_synced(inode, up_to);
        self.commit(steps);
        Ok(())
    }

    /// Makes everything durable up to the change of this number.
    pub(super) fn sync_all(&mut self, up_to: u64) {
        let steps = self.journal.take_all(up_to);
        self.commit(steps);
        for node in &mut self.nodes {
            if let Node::File(data) = node {
                data.sync(up_to);
            }
        }
    }

    /// These get to the drive, in order.
    fn commit(&mut self, steps: Vec<Step>) {
        for Step { folder, name, inode, .. } in steps {
            let Node::Folder(folder) = &mut self.nodes[folder] else { unreachable!("names are in folders") };
            match inode {
                Some(inode) => folder.durable.insert(name, inode),
                None => folder.durable.remove(&name),
            };
        }
    }

    /// What is left of names and bytes when the power is cut.
    pub(super) fn cut_power(&mut self, names: CutPolicy, bytes: CutPolicy, random: &Random) {
        let steps = self.journal.cut_power(names, random);
        self.commit(steps);
        for node in &mut self.nodes {
            if let Node::Folder(folder) = node {
                folder.names.clone_from(&folder.durable);
            }
        }
        let reachable = self.reachable();
        for (inode, node) in self.nodes.iter_mut().enumerate() {
            match node {
                Node::File(data) if reachable.contains_key(&inode) => data.cut_power(bytes, random),
                Node::File(data) => *data = FileData::default(),
                Node::Folder(_) => {}
            }
        }
    }

    /// The process ended: the page cache stays, but what it counts as clean may be gone from it.
    pub(super) fn evict(&mut self, random: &Random) {
        for node in &mut self.nodes {
            if let Node::File(data) = node
                && random.percent(50)
            {
                data.evict();
            }
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
