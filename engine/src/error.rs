//! Errors by what the caller can do: a device's failure, corruption with its place, a refusal.

mod verb;

use std::path::{Path, PathBuf};

pub use verb::Verb;

/// A request to the filesystem that failed.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {}: {source}", path.display())]
pub struct DiskError {
    /// What was asked for.
    pub verb: Verb,
    /// What it was applied to.
    pub path: PathBuf,
    /// The system's answer.
    pub source: std::io::Error,
}

impl DiskError {
    /// Attaches the verb and the path to a system error.
    #[must_use]
    pub fn new(verb: Verb, path: &Path, source: std::io::Error) -> Self {
        Self { verb, path: path.to_owned(), source }
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
        self.verb.is_sync() && !self.is_not_found()
    }

    /// Whether something was wanting that comes back by itself, descriptors above all; see [`is_shortage`]. A sync that failed
    /// is no such case, whatever it failed for.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        is_shortage(&self.source) && !self.is_failed_sync()
    }

    /// Whether a folder changed all the time while it was listed.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.source.get_ref().is_some_and(|cause| cause.is::<Changing>())
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
    /// Linux's numbers: the library has no kinds for most of these.
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

/// Why a [`Disk`](crate::io::disk::Disk) can't say what is in a folder at one moment; the cause inside a [`DiskError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it changes faster than it can be read; try again")]
pub struct Changing;

/// Files kept changing while they were being looked at: nobody failed, and another attempt may succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} changed {looks} times while it was being looked at{}; try again", path.display(), last(missing.as_deref()))]
pub struct Unsettled {
    /// The folder or file that was looked at.
    pub path: PathBuf,
    /// How often that was.
    pub looks: u32,
    /// What the last look did not find, if that is why.
    pub missing: Option<String>,
}

fn last(missing: Option<&str>) -> String {
    missing.map(|missing| format!(" (at last {missing})")).unwrap_or_default()
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
    /// Files kept changing while they were being looked at.
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
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
        let error =
            |verb, code| DiskError::new(verb, Path::new("/x"), std::io::Error::from_raw_os_error(code));
        assert!(error(Verb::Open, 24).is_shortage() && Error::from(error(Verb::Open, 23)).is_shortage());
        assert!(!error(Verb::Open, 24).is_failed_sync(), "nothing was asked of the drive");
        assert!(!error(Verb::Fsync, 12).is_shortage() && error(Verb::Fsync, 12).is_failed_sync());
        assert!(!error(Verb::Fsync, 5).is_shortage() && error(Verb::Fsync, 5).is_failed_sync());
    }
}
