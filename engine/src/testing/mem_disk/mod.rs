//! The filesystem in memory: what is visible, what a power cut leaves of it, and which call fails.

mod cut;
mod data;
mod faults;
mod port;
mod tree;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use self::faults::Faults;
use self::tree::Tree;
use crate::time::WallMillis;

pub use self::cut::Cut;
pub use self::port::MemFile;

/// A filesystem in memory. What can't be on a real one can't be here either (creating over a name, removing a folder that
/// is not empty, a file in a missing folder). An open file outlives its name.
///
/// Everything succeeds at once, until a call is told to fail. A power cut takes what was not synced: a file's bytes and
/// its name are synced apart, and a sync that failed has lost what it should have made durable.
#[derive(Clone, Debug, Default)]
pub struct MemDisk(Rc<RefCell<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    tree: Tree,
    faults: Faults,
    now: WallMillis,
    /// What [`crate::io::disk::Disk::space`] reports.
    available_bytes: Option<u64>,
    /// How many more bytes may be written.
    room: Option<u64>,
    /// Direct transfers must be of whole blocks.
    aligned: bool,
}

impl MemDisk {
    /// An empty filesystem.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A filesystem of its own with what is visible on this one, all of it durable.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = self.after(Cut::Kill);
        copy.0.borrow_mut().tree.sync_all();
        copy
    }

    /// What the machine shows after a crash now; this one goes on as if nothing had happened.
    #[must_use]
    pub fn after(&self, cut: Cut) -> Self {
        let state = State { faults: Faults::default(), ..self.0.borrow().clone() };
        let copy = Self(Rc::new(RefCell::new(state)));
        copy.restart(cut);
        copy
    }

    /// Crashes and starts again, without faults.
    pub fn restart(&self, cut: Cut) {
        let mut state = self.0.borrow_mut();
        state.faults.heal();
        state.tree.restart(cut);
    }

    /// Sets the time that files get as their modification time.
    pub fn set_time(&self, now: WallMillis) {
        self.0.borrow_mut().now = now;
    }

    /// Sets what [`crate::io::disk::Disk::space`] reports as available.
    pub fn set_available_bytes(&self, bytes: u64) {
        self.0.borrow_mut().available_bytes = Some(bytes);
    }

    /// Sets how many more bytes may be written, and reports that.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.0.borrow_mut().room = bytes;
    }

    /// From now on a direct transfer that is not of whole blocks is a bug of the caller's.
    pub fn demand_alignment(&self) {
        self.0.borrow_mut().aligned = true;
    }

    /// Puts a durable file there, with its folders, in place of any other.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        let now = state.now;
        state.tree.put(path.as_ref(), bytes, now);
    }

    /// Puts a durable folder there, with those that it is in.
    pub fn put_folder(&self, path: impl AsRef<Path>) {
        self.0.borrow_mut().tree.put_folder(path.as_ref());
    }

    /// Replaces what the cache holds of a file, as if the drive had refused it and a sync had failed.
    pub fn put_in_cache_only(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        self.0.borrow_mut().tree.data_of(path.as_ref()).forget(bytes);
    }

    /// As [`Self::put_in_cache_only`], and what is written through the cache does not get to the drive any more, though
    /// syncs succeed: ext4, where blocks were only allocated.
    pub fn put_in_cache_for_good(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        self.put_in_cache_only(&path, bytes);
        self.0.borrow_mut().tree.data_of(path.as_ref()).stick();
    }

    /// Bytes of a file, if there is one.
    #[must_use]
    pub fn get(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        let inode = state.tree.file(path.as_ref()).ok()?;
        Some(state.tree.data(inode).cached().to_vec())
    }

    /// Paths of all files, in order.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.0.borrow().tree.files().into_keys().collect()
    }

    /// Paths and bytes of all files, as a process sees them.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.0.borrow();
        let files = state.tree.files().into_iter();
        files.map(|(path, inode)| (path, state.tree.data(inode).cached().to_vec())).collect()
    }

    /// Calls since the last fault was set, or since the disk was made.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.borrow().faults.calls()
    }

    /// The call of this number (from 0, which is the next one) and all after it fail without effect: the process died
    /// before it.
    pub fn die_at(&self, call: usize) {
        self.0.borrow_mut().faults = Faults::die_at(call);
    }

    /// The call of this number (from 0, which is the next one) fails, once. A sync loses what it should have made durable.
    pub fn fail_at(&self, call: usize, kind: ErrorKind) {
        self.0.borrow_mut().faults = Faults::fail_at(call, kind);
    }

    /// The call of this number (from 0, which is the next one) can't be made, once, for want of something that the system's
    /// error names.
    pub fn fail_with(&self, call: usize, code: i32) {
        self.0.borrow_mut().faults = Faults::fail_with(call, code);
    }
}

#[cfg(test)]
mod tests;
