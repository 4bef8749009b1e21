//! Names on their way to the drive.

use logtank_engine::format::is_temporary;

use super::Inode;
use crate::disk::crash::{CutPolicy, MetadataModel};
use crate::random::Random;

/// One name of one folder, set or removed.
#[derive(Debug)]
pub(super) struct Step {
    number: u64,
    /// Steps of one operation have the same one.
    operation: u64,
    pub(super) folder: Inode,
    pub(super) name: String,
    pub(super) inode: Option<Inode>,
}

impl Step {
    /// Whether a file has gone that had got its final name.
    fn removes(&self) -> bool {
        self.inode.is_none() && !is_temporary(&self.name)
    }
}

/// All changes in order, and the numbers that they get.
#[derive(Debug)]
pub(super) struct Journal {
    steps: Vec<Step>,
    model: MetadataModel,
    /// Numbers changes, of bytes and of names.
    numbers: u64,
}

impl Journal {
    pub(super) const fn new(model: MetadataModel) -> Self {
        Self { steps: Vec::new(), model, numbers: 0 }
    }

    /// A number greater than those of all changes so far.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The number of the last change.
    pub(super) const fn last_number(&self) -> u64 {
        self.numbers
    }

    /// A name is set or removed.
    pub(super) fn record(&mut self, operation: u64, folder: Inode, name: &str, inode: Option<Inode>) {
        let number = self.next_number();
        self.steps.push(Step { number, operation, folder, name: name.to_owned(), inode });
    }

    /// How many names in a folder are on their way.
    pub(super) fn under_way(&self, folder: Option<Inode>) -> usize {
        self.steps.iter().filter(|step| Some(step.folder) == folder).count()
    }

    /// How many of them are removals.
    pub(super) fn removals_under_way(&self, folder: Option<Inode>) -> usize {
        self.steps.iter().filter(|step| Some(step.folder) == folder && step.removes()).count()
    }

    /// Takes out what a sync of this folder makes durable, up to the change of this number.
    pub(super) fn take_synced(&mut self, folder: Inode, up_to: u64) -> Vec<Step> {
        let everywhere = self.model == MetadataModel::Journal;
        self.take(|step| step.number <= up_to && (everywhere || step.folder == folder))
    }

    /// Takes out all up to the change of this number.
    pub(super) fn take_all(&mut self, up_to: u64) -> Vec<Step> {
        self.take(|step| step.number <= up_to)
    }

    fn take(&mut self, mut reached: impl FnMut(&Step) -> bool) -> Vec<Step> {
        let steps = std::mem::take(&mut self.steps);
        let (taken, left) = steps.into_iter().partition(|step| reached(step));
        self.steps = left;
        taken
    }

    /// The power is cut: takes out what gets to the drive, and forgets the others.
    pub(super) fn cut_power(&mut self, policy: CutPolicy, random: &Random) -> Vec<Step> {
        let operations: Vec<u64> = self.steps.iter().map(|step| step.operation).collect();
        let prefix = operations.get(random.place(operations.len() + 1)).copied().unwrap_or(u64::MAX);
        let survives = match (policy, self.model) {
            (CutPolicy::DropAll, _) => Vec::new(),
            (CutPolicy::KeepAll, _) => self.take(|_| true),
            (_, MetadataModel::Journal) | (CutPolicy::Prefix, _) => self.take(|step| step.operation < prefix),
            (CutPolicy::Subset | CutPolicy::Torn, MetadataModel::Posix) => {
                // A rename within a folder is one change; from one to another, it is two.
                let mut last = (0, 0, false);
                self.take(|step| {
                    if (last.0, last.1) != (step.operation, step.folder) {
                        last = (step.operation, step.folder, random.percent(50));
                    }
                    last.2
                })
            }
        };
        self.steps.clear();
        survives
    }
}
