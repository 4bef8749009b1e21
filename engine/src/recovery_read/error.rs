//! Why there is no page.

use crate::error::{Corruption, DiskError, Error, Unsettled};
use crate::ids::InvalidIndexCode;
use crate::store::MayVanish;

/// What is said of an error that may pass by itself, so that a client can tell it from one that stays.
pub const TRY_AGAIN: &str = "try the same token again";

/// Why there is no page. Each text is meant for whoever runs the client.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// This host must not serve recoveries now.
    #[error(transparent)]
    Refused(#[from] crate::roles::Refusal),
    /// Not the name of an index.
    #[error(transparent)]
    Code(#[from] InvalidIndexCode),
    /// The recovery can't go on from this token.
    #[error(transparent)]
    StartOver(#[from] StartOver),
    /// The filesystem failed.
    #[error("{0}; {again}, and if it stays so look at this host's drives", again = TRY_AGAIN)]
    Disk(DiskError),
    /// Damaged bytes may hold records of this index. Recoveries of others, of which none are in there, go on.
    #[error(
        "{0}; records of this index may be in there, and the file needs repair before it can be recovered: restore the file, or stop the host and run `logtank repair`"
    )]
    Corrupt(#[from] Corruption),
    /// A segment of the index is gone, and nothing else holds its records.
    #[error("{0}; until then this index can't be recovered whole, and is not in part")]
    Gone(Corruption),
    /// Files kept changing while they were being looked at.
    #[error("the files of this host changed too often while one page was read; {again}", again = TRY_AGAIN)]
    Unsettled,
}

/// Why a recovery must begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartOver {
    /// Not a token of this host for this index, or a damaged one.
    #[error("this page token is not valid here: start the recovery over with an empty token")]
    NotValid,
    /// Issued too long ago to know what happened since.
    #[error("this page token is too old: start the recovery over with an empty token")]
    TooOld,
    /// The index was deleted after the recovery began.
    #[error("the index was deleted after this recovery began: start the recovery over with an empty token")]
    Deleted,
    /// What comes next was merged into an optimized segment, and cleaned up.
    #[error(
        "the segments that this recovery was reading were optimized and removed since: start the recovery over with an empty token"
    )]
    Superseded,
    /// What was read of the raw log may have been lost with the machine's memory.
    #[error(
        "this machine was restarted while the recovery was reading what may not have been durable yet: start the recovery over with an empty token"
    )]
    Restarted,
}

impl From<DiskError> for ReadError {
    fn from(error: DiskError) -> Self {
        if error.is_unsettled() { Self::Unsettled } else { Self::Disk(error) }
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        match error {
            Error::Disk(error) => error.into(),
            Error::Corrupt(error) => Self::Corrupt(error),
            Error::Unsettled(error) => error.into(),
        }
    }
}

impl From<Unsettled> for ReadError {
    fn from(_: Unsettled) -> Self {
        Self::Unsettled
    }
}

impl MayVanish for ReadError {
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_not_found())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::{Changing, Verb};

    #[test]
    fn only_what_kept_changing_is_unsettled() {
        let listing = |source| DiskError::new(Verb::List, Path::new("/data/raw/live"), source);
        let changing = std::io::Error::other(Changing);
        assert!(matches!(ReadError::from(listing(changing)), ReadError::Unsettled));
        // EBUSY of a drive is a failure of the drive.
        let busy = std::io::Error::from(std::io::ErrorKind::ResourceBusy);
        assert!(matches!(ReadError::from(listing(busy)), ReadError::Disk(_)));
    }
}
