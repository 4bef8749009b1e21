use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::io::{Disk, DiskResult, Entry, EntryKind, Metadata, NewFile, Space, Transfer};
use logtank_engine::time::WallMillis;
use rustix::fs::{Mode, OFlags, Timespec, Timestamps, UTIME_NOW, futimens, open, statvfs};
use tokio_uring::fs::{File, OpenOptions, StatxBuilder};

use super::batch;
use super::blocking::blocking;
use super::filesystems::Filesystems;
use super::listing;
use super::retry::retried;
use super::throttle::Throttle;
use super::uring_file::UringFile;

/// The kernel's filesystems, through the ring of this thread ([`super::block_on`]).
///
/// Names that end in a symbolic link are never followed to a file: opening one is an error.
#[derive(Clone, Debug)]
pub struct UringDisk {
    throttle: Throttle,
    filesystems: Arc<Filesystems>,
}

impl UringDisk {
    /// For files under `roots`, each an existing folder. Make it before anything is written there:
    /// [`Disk::sync_filesystem`] reports writes that were lost since.
    ///
    /// # Errors
    /// If a root can't be opened.
    pub fn new(roots: &[&Path], throttle: Throttle) -> DiskResult<Self> {
        let filesystems = Filesystems::default();
        for root in roots {
            filesystems.watch(root).map_err(|source| DiskError::new(Verb::Open, root, source))?;
        }
        Ok(Self { throttle, filesystems: Arc::new(filesystems) })
    }

    async fn open_as(
        &self,
        verb: Verb,
        path: &Path,
        options: &OpenOptions,
        transfer: Transfer,
    ) -> DiskResult<UringFile> {
        let file = open_detached(path, options).await.map_err(|source| DiskError::new(verb, path, source))?;
        Ok(UringFile::new(file, transfer, path, self.throttle.clone()))
    }
}

/// Opens a file in a task of its own: if the caller loses interest, the descriptor still finds its way to being
/// closed.
async fn open_detached(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let path = path.to_owned();
    let options = options.clone();
    let opening = tokio_uring::spawn(async move { retried(|| options.open(&path)).await });
    opening.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn options(flags: i32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags);
    options
}

async fn status(path: &Path, flags: i32) -> io::Result<libc::statx> {
    retried(async || {
        StatxBuilder::new().pathname(path)?.flags(flags).mask(libc::STATX_BASIC_STATS).statx().await
    })
    .await
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Disk for UringDisk {
    type File = UringFile;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<UringFile> {
        self.open_as(Verb::Open, path, &options(libc::O_NOFOLLOW), transfer).await
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<UringFile> {
        self.open_as(Verb::Open, path, options(libc::O_NOFOLLOW).write(true), transfer).await
    }

    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<UringFile> {
        self.open_as(Verb::Create, path, options(libc::O_NOFOLLOW).write(true).create_new(true), transfer)
            .await
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        // Upwards to the first folder that is there, then down again.
        let mut missing = vec![path];
        while let Some(&folder) = missing.last() {
            let failed = |source| DiskError::new(Verb::Mkdir, folder, source);
            match retried(|| tokio_uring::fs::create_dir(folder)).await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder.parent().is_some() => {
                    missing.extend(folder.parent());
                    continue;
                }
                // A link to a folder is as good as one: that is how a data directory is put on another drive.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let mode = status(folder, 0).await.map_err(failed)?.stx_mode;
                    if listing::kind_of(mode.into()) != EntryKind::Folder {
                        return Err(failed(io::ErrorKind::NotADirectory.into()));
                    }
                }
                Err(error) => return Err(failed(error)),
            }
            missing.pop();
        }
        Ok(())
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        let owned = folder.to_owned();
        blocking(Verb::List, folder, move || listing::list(&owned)).await
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        match status(path, libc::AT_SYMLINK_NOFOLLOW).await {
            Ok(status) => Ok(Some(Metadata {
                kind: listing::kind_of(status.stx_mode.into()),
                len: status.stx_size,
                modified: millis(status.stx_mtime),
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(DiskError::new(Verb::Stat, path, source)),
        }
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        let renamed = tokio_uring::fs::rename(from, to).await;
        renamed.map_err(|source| DiskError::new(Verb::Rename, from, source))
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        tokio_uring::fs::remove_file(path).await.map_err(|source| DiskError::new(Verb::Unlink, path, source))
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        tokio_uring::fs::remove_dir(path).await.map_err(|source| DiskError::new(Verb::Rmdir, path, source))
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        let failed = |verb| move |source| DiskError::new(verb, folder, source);
        // Without a descriptor nothing was asked of the drive, so nothing is lost.
        let file = open_detached(folder, &options(libc::O_DIRECTORY)).await.map_err(failed(Verb::Open))?;
        file.sync_all().await.map_err(failed(Verb::Fsync))
    }

    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        let filesystems = self.filesystems.clone();
        let owned = path.to_owned();
        blocking(Verb::Syncfs, path, move || filesystems.sync(&owned)).await
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        let owned = path.to_owned();
        blocking(Verb::Touch, path, move || Ok(touch(&owned)?)).await
    }

    async fn space(&self, path: &Path) -> DiskResult<Space> {
        let owned = path.to_owned();
        blocking(Verb::Statfs, path, move || {
            let room = statvfs(&owned)?;
            // Filesystems that make inodes as they need them report none at all.
            let available_files = if room.f_files == 0 { u64::MAX } else { room.f_favail };
            Ok(Space {
                total_bytes: room.f_blocks.saturating_mul(room.f_frsize),
                available_bytes: room.f_bavail.saturating_mul(room.f_frsize),
                total_files: room.f_files,
                available_files,
            })
        })
        .await
    }

    async fn create_all(&self, files: Vec<NewFile>) -> DiskResult<()> {
        batch::create_all(&self.throttle, files).await
    }

    async fn list_all(&self, folders: Vec<PathBuf>) -> DiskResult<Vec<Vec<Entry>>> {
        batch::list_all(folders).await
    }
}

fn touch(path: &Path) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = open(path, flags, Mode::from_raw_mode(0o666))?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    futimens(&fd, &Timestamps { last_access: now, last_modification: now })
}

/// Zero for a time before 1970.
fn millis(time: libc::statx_timestamp) -> WallMillis {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    WallMillis(seconds.saturating_mul(1_000).saturating_add(u64::from(time.tv_nsec) / 1_000_000))
}
