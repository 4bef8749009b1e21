//! The data directory: its folders, its locks, its flags.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use logtank_engine::first_start;
use logtank_engine::format::Layout;
use logtank_engine::io::{DiskResult, parent};
use logtank_engine::recovery_read::{TokenKey, load_or_create};
use logtank_engine::store::Store;
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_os::lock::{FileLock, FolderLock};
use logtank_os::startup::{
    Folder, check_folder, check_one_filesystem, check_owner, exposed_mode, keep_files_private,
};
use logtank_os::token_key::{KeyPath, random_key};

use super::belonging::{self, Absent};

/// A process that was killed holds its locks a moment longer than it lives.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// A data directory whose folders are there and usable.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) layout: Layout,
}

/// Locks are held as long as this lives.
#[derive(Debug)]
pub(crate) struct Locks {
    _writer: Option<FileLock>,
    _dealer: Option<FileLock>,
    _live: Option<FolderLock>,
    _history: Option<FolderLock>,
}

impl Tree {
    /// Creates what is missing, durably, and checks the rest. Of the folders that were named, only the last component is
    /// created: what is missing above it is a misspelt name, or a drive that is not mounted.
    ///
    /// # Errors
    /// What can't be used, and what to do; above all, that the two folders don't belong together.
    pub(crate) fn open(data: &Path, raw_dir: Option<&Path>) -> anyhow::Result<Self> {
        Self::prepared(data, raw_dir, Absent::Create)
    }

    /// Opens a tree that must be there already.
    ///
    /// # Errors
    /// If it is not, or can't be used.
    pub(crate) fn existing(data: &Path, raw_dir: Option<&Path>) -> anyhow::Result<Self> {
        Self::prepared(data, raw_dir, Absent::Refuse)
    }

    /// A tree that must be there already, to be read only.
    ///
    /// # Errors
    /// If it is not, or its two folders don't belong together.
    pub(crate) fn to_read(data: &Path, raw_dir: Option<&Path>) -> anyhow::Result<Self> {
        let layout = layout(data, raw_dir)?;
        belonging::check(&layout)?;
        Ok(Self { layout })
    }

    fn prepared(data: &Path, raw_dir: Option<&Path>, absent: Absent) -> anyhow::Result<Self> {
        let layout = layout(data, raw_dir)?;
        keep_files_private();
        belonging::ensure(&layout, absent, || {
            super::elsewhere::check(&layout)?;
            let raw_parent: PathBuf = parent(layout.raw()).into();
            create_folders(&layout, &raw_parent)?;
            check_folder(layout.data())?;
            check_folder(layout.raw())?;
            check_one_filesystem(&[layout.raw(), &layout.raw_live(), &layout.raw_history()])?;
            Ok(())
        })?;
        Ok(Self { layout })
    }

    /// Locks the tree against other processes: as its writer, as what owns its indexes, or as both.
    ///
    /// # Errors
    /// If another process has one of the locks; the error names it.
    pub(crate) fn lock(&self, writer: bool, dealer: bool) -> anyhow::Result<Locks> {
        let acquire = |wanted: bool, path: &Path| -> anyhow::Result<Option<FileLock>> {
            Ok(if wanted { Some(FileLock::acquire(path, LOCK_PATIENCE)?) } else { None })
        };
        // A copy of the data directory has lock files of its own, and may be given the same raw log.
        let acquire_folder = |wanted: bool, path: &Path| -> anyhow::Result<Option<FolderLock>> {
            Ok(if wanted { Some(FolderLock::hold(path, LOCK_PATIENCE)?) } else { None })
        };
        Ok(Locks {
            _writer: acquire(writer, &self.layout.writer_lock())?,
            _dealer: acquire(dealer, &self.layout.dealer_lock())?,
            _live: acquire_folder(writer, &self.layout.raw_live())?,
            _history: acquire_folder(dealer, &self.layout.raw_history())?,
        })
    }

    /// Makes a tree that this host opens for the first time its own, and reads the key that signs page tokens.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn initialize(&self) -> anyhow::Result<TokenKey> {
        let (outcome, placed) = block_on(async {
            let store = self.store(Throttle::none())?;
            first_start::prepare(&store).await
        })??;
        tracing::debug!(?outcome, "flags of the data directory");
        if placed > 0 {
            tracing::info!(
                "{placed} raw segments of the original began before the checkpoint: they are dealt after it, as a slave that was \
                 promoted deals them"
            );
        }
        // Last, because it is what tells a tree that was opened before from a new one.
        let path = self.layout.token_key();
        let key = block_on(load_or_create(&KeyPath::new(path.clone()), &random_key()))??;
        // It stays in use: who may have read it can forge page tokens, and not serving would help nobody.
        if let Ok(Some(mode)) = exposed_mode(&path) {
            tracing::warn!(
                "{} is for other users, too (mode {mode:04o}): chmod 600 {0}; if one may have read it, remove it while the \
                 host is stopped",
                path.display()
            );
        }
        Ok(key)
    }

    /// This tree on a disk, to be made on the thread that uses it.
    ///
    /// # Errors
    /// If a folder can't be opened.
    pub(crate) fn store(&self, throttle: Throttle) -> DiskResult<Store<UringDisk>> {
        let disk = UringDisk::new(&[self.layout.data(), self.layout.raw()], throttle)?;
        Ok(Store::new(disk, self.layout.clone()))
    }
}

fn layout(data: &Path, raw_dir: Option<&Path>) -> anyhow::Result<Layout> {
    let absolute = |path: &Path| std::path::absolute(path).with_context(|| path.display().to_string());
    Ok(Layout::new(&absolute(data)?, raw_dir.map(absolute).transpose()?.as_deref()))
}

/// Creates what is missing, if each folder that is there may be used: what is refused is left as it was.
fn create_folders(layout: &Layout, raw_dir: &Path) -> anyhow::Result<()> {
    let (live, history) = (layout.raw_live(), layout.raw_history());
    for folder in
        [layout.data(), raw_dir, layout.raw(), &live, &history, &layout.raw_spare(), &layout.indexes()]
    {
        check_owner(folder)?;
    }
    let data = Folder::open_or_create(layout.data())?;
    let raw = Folder::open_or_create(raw_dir)?.child("raw")?;
    raw.child("live")?;
    raw.child("history")?;
    // So that it is missed where it is missing later.
    data.child("indexes")?;
    Ok(())
}
