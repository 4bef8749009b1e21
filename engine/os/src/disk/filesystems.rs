//! Syncing whole filesystems, so that no lost write goes unnoticed.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, fstat, open, stat, syncfs};

/// The filesystems that a disk has touched, by device.
///
/// The kernel tells a descriptor only of writes that failed after the descriptor was opened. A descriptor opened just
/// for syncfs would therefore hear nothing of what was lost a moment before; so each filesystem has one that stays
/// open from before the first write. It tells once; for whoever asks later the failure is kept here.
#[derive(Debug, Default)]
pub(super) struct Filesystems(Mutex<BTreeMap<u64, Arc<Filesystem>>>);

#[derive(Debug)]
struct Filesystem {
    fd: OwnedFd,
    // Held during the call, so that nobody hears "all is well" between a failure and its being noted.
    failed: Mutex<Option<rustix::io::Errno>>,
}

impl Filesystems {
    /// Begins to watch the filesystem that holds `path`. Blocks.
    pub(super) fn watch(&self, path: &Path) -> io::Result<()> {
        self.of(path).map(|_| ())
    }

    /// Makes everything on the filesystem that holds `path` durable. Blocks, perhaps for long.
    pub(super) fn sync(&self, path: &Path) -> io::Result<()> {
        let filesystem = self.of(path)?;
        let mut failed = filesystem.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = *failed {
            let kind = io::Error::from(error).kind();
            return Err(io::Error::new(kind, format!("an earlier sync of this filesystem failed: {error}")));
        }
        syncfs(&filesystem.fd).map_err(|error| {
            *failed = Some(error);
            error.into()
        })
    }

    fn of(&self, path: &Path) -> io::Result<Arc<Filesystem>> {
        let device = stat(path)?.st_dev;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(filesystem) = known.get(&device) {
            return Ok(filesystem.clone());
        }
        let fd = open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
        let device = fstat(&fd)?.st_dev;
        let filesystem = Arc::new(Filesystem { fd, failed: Mutex::new(None) });
        Ok(known.entry(device).or_insert(filesystem).clone())
    }
}
