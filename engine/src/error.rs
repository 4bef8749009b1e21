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

    /// Whether the drive is full (ENOSPC, EDQUOT).
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    }
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

    /// Whether a sync failed; see [`DiskError::is_failed_sync`].
    #[must_use]
    pub fn is_failed_sync(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_failed_sync())
    }
}

/// Result of a background job's step.
pub type Result<T, E = Error> = std::result::Result<T, E>;
