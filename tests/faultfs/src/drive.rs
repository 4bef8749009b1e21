//! A drive, served as a file.

use std::io::Result;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use fuser::{BackgroundSession, Config, MountOption};
use tempfile::TempDir;

use crate::faults::{Operation, Rule};
use crate::filesystem::{DriveFilesystem, FILE_NAME, State};
use crate::recording::Recording;
use crate::store::Store;

/// Threads that serve the drive: a flush that is delayed must not hold up writes.
const THREADS: usize = 4;

/// A drive in memory. Goes away when it is dropped; unmount what is on it first.
#[derive(Debug)]
pub struct Drive {
    state: Arc<Mutex<State>>,
    folder: TempDir,
    session: Option<BackgroundSession>,
}

impl Drive {
    /// A drive that holds `store`.
    ///
    /// # Errors
    /// If FUSE can't be mounted: it needs root and /dev/fuse.
    pub fn new(store: Store) -> Result<Self> {
        let bytes = store.len();
        let state = Arc::new(Mutex::new(State {
            store,
            rules: Vec::new(),
            events: None,
            asked: [0; Operation::KINDS],
        }));
        let folder = tempfile::Builder::new().prefix("logtank-drive-").tempdir()?;
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("logtank-faultfs".into())];
        config.n_threads = Some(THREADS);
        let filesystem = DriveFilesystem { state: state.clone(), bytes };
        let session = Some(fuser::spawn_mount(filesystem, folder.path(), &config)?);
        Ok(Self { state, folder, session })
    }

    /// The file that is the drive.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(FILE_NAME)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the drive's lock")
    }

    /// A copy of what it holds.
    #[must_use]
    pub fn store(&self) -> Store {
        self.state().store.clone()
    }

    /// Replaces what it holds. Nothing may be mounted from it.
    pub fn load(&self, store: Store) {
        self.state().store = store;
    }

    /// Adds a fault.
    pub fn strike(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        self.state().rules.clear();
    }

    /// How many such operations were asked of it so far.
    #[must_use]
    pub fn asked(&self, operation: Operation) -> u64 {
        self.state().asked[operation as usize]
    }

    /// Begins to record; the content of now counts as durable.
    #[must_use]
    pub fn record(&self) -> Recorder<'_> {
        let mut state = self.state();
        state.events = Some(Vec::new());
        Recorder { drive: self, base: state.store.clone() }
    }
}

/// A recording under way.
#[derive(Debug)]
pub struct Recorder<'a> {
    drive: &'a Drive,
    base: Store,
}

impl Recorder<'_> {
    /// Ends it.
    #[must_use]
    pub fn stop(self) -> Recording {
        let events = self.drive.state().events.take().unwrap_or_default();
        Recording { base: self.base, events }
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // A mount left behind is seen, and a panic in a drop would hide the first one.
            if let Err(error) = session.umount_and_join() {
                eprintln!("the drive at {} stays mounted: {error}", self.folder.path().display());
            }
        }
    }
}
