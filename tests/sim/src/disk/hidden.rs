//! A folder that is not there for a while: its drive is not mounted.

use std::path::{Path, PathBuf};

use super::tree::{Folder, Inode, Node, Tree};

/// A folder in whose place another one is.
#[derive(Debug)]
pub struct Hidden {
    path: PathBuf,
    inode: Inode,
    /// How many names its substitute began with.
    names: usize,
}

impl Tree {
    pub(super) fn hide(&mut self, path: &Path, but: Option<&str>) -> Hidden {
        let inode = self.find(path).expect("only what is there is hidden");
        let mut substitute = Folder::default();
        if let Some(name) = but {
            let folder = self.folder(path).expect("it is a folder");
            let kept = folder.names.get(name).copied();
            substitute.names.extend(kept.map(|inode| (name.to_owned(), inode)));
            substitute.durable.clone_from(&substitute.names);
        }
        let names = substitute.names.len();
        self.nodes.push(Node::Folder(substitute));
        self.put_in_place(path, self.nodes.len() - 1);
        Hidden { path: path.to_owned(), inode, names }
    }

    pub(super) fn show(&mut self, hidden: Hidden) -> bool {
        let untouched =
            self.folder(&hidden.path).is_ok_and(|substitute| substitute.names.len() == hidden.names);
        self.put_in_place(&hidden.path, hidden.inode);
        untouched
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
