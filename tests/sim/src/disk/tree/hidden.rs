//! A folder that is not there for a while: its drive is not mounted.

use std::path::{Path, PathBuf};

use super::{Folder, Inode, Node, Tree};

/// A folder in whose place another one is.
#[derive(Debug)]
pub struct Hidden {
    path: PathBuf,
    inode: Inode,
    /// What its substitute began with.
    names: Vec<String>,
    but: Option<String>,
}

/// A copy of a folder as it was shown at some time, in nobody's place yet.
#[derive(Debug)]
pub struct Copied(Inode);

impl Tree {
    pub(in crate::disk) fn hide(&mut self, path: &Path, but: Option<&str>) -> Hidden {
        self.nodes.push(Node::Folder(Folder::default()));
        let empty = Copied(self.nodes.len() - 1);
        self.replace(path, &empty, but)
    }

    /// Without what has the name `but` in it.
    pub(in crate::disk) fn copy(&mut self, path: &Path, but: &str) -> Copied {
        let inode = self.find(path).expect("only what is there is copied");
        Copied(self.copy_inode(inode, Some(but)))
    }

    fn copy_inode(&mut self, inode: Inode, but: Option<&str>) -> Inode {
        let copy = match &self.nodes[inode] {
            Node::File(data) => Node::File(data.copy()),
            Node::Folder(folder) => {
                let names = folder.names.clone();
                let mut copy = Folder::default();
                for (name, inode) in names.into_iter().filter(|(name, _)| Some(&**name) != but) {
                    copy.names.insert(name, self.copy_inode(inode, None));
                }
                copy.durable.clone_from(&copy.names);
                Node::Folder(copy)
            }
        };
        self.nodes.push(copy);
        self.nodes.len() - 1
    }

    /// Has the copy in the place of the folder, with what has the name `but` in that.
    pub(in crate::disk) fn replace(&mut self, path: &Path, copied: &Copied, but: Option<&str>) -> Hidden {
        let inode = self.find(path).expect("only what is there is hidden");
        let kept = but.and_then(|but| self.folder(path).expect("it is a folder").names.get(but).copied());
        let Node::Folder(substitute) = &mut self.nodes[copied.0] else { unreachable!("folders are copied") };
        substitute.names.extend(but.zip(kept).map(|(name, inode)| (name.to_owned(), inode)));
        substitute.durable.clone_from(&substitute.names);
        self.put_in_place(path, copied.0);
        let but = but.map(str::to_owned);
        Hidden { path: path.to_owned(), inode, names: self.names_in(path, but.as_deref()), but }
    }

    pub(in crate::disk) fn show(&mut self, hidden: Hidden) -> bool {
        let untouched = self.names_in(&hidden.path, hidden.but.as_deref()) == hidden.names;
        self.put_in_place(&hidden.path, hidden.inode);
        untouched
    }

    /// All that is in a folder, to any depth, but for what is in `but`.
    fn names_in(&self, path: &Path, but: Option<&str>) -> Vec<String> {
        let kept = but.map(|but| path.join(but));
        let paths = self.reachable().into_values();
        let mut names: Vec<_> = paths
            .filter(|name| Path::new(name).starts_with(path))
            .filter(|name| kept.as_ref().is_none_or(|kept| !Path::new(name).starts_with(kept)))
            .collect();
        names.sort();
        names
    }

    /// A mount: neither a name that is written nor one on its way.
    fn put_in_place(&mut self, path: &Path, inode: Inode) {
        let above = path.parent().and_then(|above| self.find(above)).expect("it is in a folder");
        let name = path.file_name().and_then(|name| name.to_str()).expect("it has a name");
        let Node::Folder(folder) = &mut self.nodes[above] else { unreachable!("names are in folders") };
        folder.names.insert(name.to_owned(), inode);
        folder.durable.insert(name.to_owned(), inode);
    }
}
