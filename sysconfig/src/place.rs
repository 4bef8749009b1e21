use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statvfs, statx};

/// A folder and the filesystem that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// The kernel's number of its mount.
    pub mount_id: u64,
    /// The filesystem's own number; not every filesystem keeps it over a restart.
    pub filesystem_id: u64,
    /// Bytes of the filesystem.
    pub bytes: u64,
    /// Bytes of it that are free for ordinary users.
    pub free_bytes: u64,
    /// Files that it can hold; zero if it sets no bound.
    pub files: u64,
    /// Files that can still be created.
    pub free_files: u64,
}

impl Place {
    /// Where `folder`, or the nearest folder above that is there, is.
    ///
    /// # Errors
    /// The system's.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let there = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
        let status = statx(CWD, there, AtFlags::empty(), StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)?;
        let space = statvfs(there)?;
        Ok(Self {
            mount_id: status.stx_mnt_id,
            filesystem_id: space.f_fsid,
            bytes: space.f_blocks.saturating_mul(space.f_frsize),
            free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
            files: space.f_files,
            free_files: space.f_favail,
            folder,
        })
    }
}
