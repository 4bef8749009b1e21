//! Errors by what the caller can do: a device's failure, corruption with its place, a refusal.

use std::path::{Path, PathBuf};

/// A request to the filesystem that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {source}", path.display())]
pub struct DiskError {
    /// The verb, as in "open" or "fdatasync".
    pub operation: &'static str,
    /// What it was applied to.
    pub path: PathBuf,
    /// The system's answer.
    pub source: std::io::Error,
}

impl DiskError {
    /// Attaches the verb and the path to a system error.
    #[must_use]
    pub fn new(operation: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self { operation, path: path.to_owned(), source }
    }

    /// Whether the file or folder is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == std::io::ErrorKind::NotFound
    }

    /// Whether a sync failed: then nothing is known any more of what was written before it, and asking again
    /// proves nothing.
    #[must_use]
    pub fn is_failed_sync(&self) -> bool {
        matches!(self.operation, "fsync" | "fdatasync" | "syncfs") && !self.is_not_found()
    }

    /// Whether something was wanting that comes back by itself, descriptors above all; see [`is_shortage`]. A sync that failed
    /// is no such case, whatever it failed for.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        is_shortage(&self.source) && !self.is_failed_sync()
    }

    /// Whether the drive is full (ENOSPC, EDQUOT).
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    }
}

/// Whether a call failed for want of something that comes back when others let go of it: descriptors, memory.
#[must_use]
pub fn is_shortage(error: &std::io::Error) -> bool {
    // EMFILE, ENFILE, ENOBUFS, ENOMEM on Linux.
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

/// Bytes on disk that are not what was written there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is corrupt at byte {offset}: {what}", path.display())]
pub struct Corruption {
    /// The file.
    pub path: PathBuf,
    /// Byte offset of the first thing that is wrong.
    pub offset: u64,
    /// What is wrong with it.
    pub what: String,
}

/// What can go wrong in a background job or a recovery read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filesystem refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Bytes on disk are damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

impl Error {
    /// Whether a file or folder was not there: often another job moved it, and a fresh look will tell.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_not_found())
    }

    /// Whether something was wanting that comes back; see [`is_shortage`].
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_shortage())
    }

    /// Whether a sync failed; see [`DiskError::is_failed_sync`].
    #[must_use]
    pub fn is_failed_sync(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_failed_sync())
    }
}

/// Result of a background job's step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_come_back_a_failed_drive_does_not() {
        let error = |operation, code| {
            DiskError::new(operation, Path::new("/x"), std::io::Error::from_raw_os_error(code))
        };
        assert!(error("open", 24).is_shortage() && Error::from(error("open", 23)).is_shortage());
        assert!(!error("open", 24).is_failed_sync(), "nothing was asked of the drive");
        assert!(!error("fsync", 12).is_shortage() && error("fsync", 12).is_failed_sync());
        assert!(!error("fsync", 5).is_shortage() && error("fsync", 5).is_failed_sync());
    }
}
