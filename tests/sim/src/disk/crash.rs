use super::tree::{Node, Tree};
use crate::random::Random;

/// What a power cut leaves of names that were not made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataModel {
    /// A beginning of the journal; an fsync of any folder makes all before it durable. As ext4 and XFS do.
    Journal,
    /// Any part; only what was done in the synced folder is durable. As POSIX allows.
    Posix,
}

/// What a power cut leaves of what was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutPolicy {
    /// Nothing.
    DropAll,
    /// Everything.
    KeepAll,
    /// The first writes of each file.
    Prefix,
    /// Any writes.
    Subset,
    /// Any sectors.
    Torn,
}

impl CutPolicy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::DropAll, Self::KeepAll, Self::Prefix, Self::Subset, Self::Torn];
}

impl Tree {
    pub(super) fn cut_power(&mut self, names: CutPolicy, bytes: CutPolicy, random: &Random) {
        self.cut_names(names, random);
        let reachable = self.reachable();
        for (inode, node) in self.nodes.iter_mut().enumerate() {
            match node {
                Node::File(data) if reachable.contains_key(&inode) => data.cut_power(bytes, random),
                Node::File(data) => *data = super::file::FileData::default(),
                Node::Folder(_) => {}
            }
        }
    }

    fn cut_names(&mut self, policy: CutPolicy, random: &Random) {
        let operations = self.journal.iter().map(|step| step.operation).collect::<Vec<_>>();
        let prefix = operations.get(random.place(operations.len() + 1)).copied().unwrap_or(u64::MAX);
        match (policy, self.model) {
            (CutPolicy::DropAll, _) => {}
            (CutPolicy::KeepAll, _) => self.commit(|_| true),
            (_, MetadataModel::Journal) | (CutPolicy::Prefix, _) => {
                self.commit(|step| step.operation < prefix)
            }
            (CutPolicy::Subset | CutPolicy::Torn, MetadataModel::Posix) => {
                // A rename within a folder is one change; from one to another, it is two.
                let mut last = (0, 0, false);
                self.commit(|step| {
                    if (last.0, last.1) != (step.operation, step.folder) {
                        last = (step.operation, step.folder, random.percent(50));
                    }
                    last.2
                });
            }
        }
        self.journal.clear();
        for node in &mut self.nodes {
            if let Node::Folder(folder) = node {
                folder.names.clone_from(&folder.durable);
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
}
