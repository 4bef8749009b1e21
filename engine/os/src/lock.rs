//! Two processes never write one tree: a lock of the kernel's on `writer.lock` and on `dealer.lock`.
//!
//! It is a lock of the open file description (`F_OFD_SETLK`): it conflicts with the POSIX locks that the original
//! host takes on the same files, goes when the process goes, however that ends, and is not lost when some other
//! part of the process opens and closes the file, as a POSIX lock is.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two tries. A process that is killed with files registered in a ring holds its locks 20 to 50 ms longer
/// than it lives.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// A file that is locked as long as this lives. The file itself stays; it holds the process id in decimal.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
    path: PathBuf,
}

/// A folder that is locked as long as this lives, for what two processes must do one after the other. Leaves nothing in it.
#[derive(Debug)]
pub struct FolderLock {
    _folder: Option<File>,
}

impl FolderLock {
    /// Locks the folder at `path`, for as long as it takes. Blocks. Where the filesystem knows no locks of folders (NFS), it does
    /// without.
    ///
    /// # Errors
    /// The system's, `NotFound` above all.
    pub fn acquire(path: &Path) -> io::Result<Self> {
        let folder = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
        loop {
            match rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { _folder: Some(folder) }),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Ok(Self { _folder: None }),
            }
        }
    }

    /// Locks the folder at `path`, which another process may not have for long: tries for `wait`, once at least. Blocks. Where the
    /// filesystem knows no locks of folders (NFS), it does without.
    ///
    /// # Errors
    /// If another process, or another lock of this process, holds it all the time, or if it can't be opened.
    pub fn hold(path: &Path, wait: Duration) -> Result<Self, LockError> {
        let failed = |source| LockError::Failed { path: path.to_owned(), source };
        let folder =
            OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path).map_err(failed)?;
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&folder, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _folder: Some(folder) }),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() >= wait => {
                    return Err(LockError::Held { path: path.to_owned(), holder: None });
                }
                // The kernel has no waiting for a lock with a bound on the time.
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(RETRY_EVERY),
                Err(_) => return Ok(Self { _folder: None }),
            }
        }
    }
}

/// Why a lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{} is locked{} — two processes must never write one data directory, or one raw log — stop that one, or give this one \
         folders of its own", path.display(), by(*holder)
    )]
    Held {
        /// The lock's file.
        path: PathBuf,
        /// Process id of the holder, if it is known.
        holder: Option<u32>,
    },
    /// The file can't be opened, written or locked.
    #[error("cannot lock {}: {source}", path.display())]
    Failed {
        /// The lock's file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

fn by(holder: Option<u32>) -> String {
    holder.map_or_else(|| " by another process".to_owned(), |pid| format!(" by process {pid}"))
}

impl FileLock {
    /// Locks the file at `path`, creating it if it is not there. Tries for `wait`, once at least. Blocks.
    ///
    /// # Errors
    /// If another process, or another lock of this process, holds it all the time, or if the file can't be used.
    pub fn acquire(path: &Path, wait: Duration) -> Result<Self, LockError> {
        let began = Instant::now();
        loop {
            match Self::try_acquire(path) {
                // The kernel has no waiting for a lock with a bound on the time.
                Err(LockError::Held { .. }) if began.elapsed() < wait => std::thread::sleep(RETRY_EVERY),
                result => return result,
            }
        }
    }

    /// The file that is locked.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn try_acquire(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Failed { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(failed)?;
        match lock(&file, libc::F_OFD_SETLK) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::PermissionDenied) => {
                return Err(LockError::Held { path: path.to_owned(), holder: holder(&mut file) });
            }
            Err(error) => return Err(failed(error)),
        }
        // Someone may have removed the file between opening and locking; then the lock is on nothing.
        let is_same = match std::fs::symlink_metadata(path) {
            Ok(there) => {
                let ours = file.metadata().map_err(failed)?;
                (there.dev(), there.ino()) == (ours.dev(), ours.ino())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        if !is_same {
            return Err(LockError::Held { path: path.to_owned(), holder: None });
        }
        let write_pid = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        match write_pid(&mut file) {
            // The content is for people; a full drive must not keep the host from starting.
            Err(error) if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                Err(failed(error))
            }
            _ => Ok(Self { _file: file, path: path.to_owned() }),
        }
    }
}

/// Who holds a lock that is not ours: the kernel knows of POSIX locks, the file's content tells of ours.
fn holder(file: &mut File) -> Option<u32> {
    let asked = lock(file, libc::F_OFD_GETLK).ok();
    let posix = asked.and_then(|found| u32::try_from(found.l_pid).ok()).filter(|&pid| pid > 0);
    posix.or_else(|| {
        let mut content = String::new();
        file.take(32).read_to_string(&mut content).ok()?;
        content.trim().parse().ok()
    })
}

/// Applies `command` to a write lock on the whole file.
fn lock(file: &File, command: libc::c_int) -> io::Result<libc::flock> {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and both commands read and write one `flock`, which lives here.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(lock) }
}
