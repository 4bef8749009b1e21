use crate::error::{Corruption, DiskError, Error, Unsettled};
use crate::ids::InvalidIndexCode;

/// Why a call of the control plane failed. Each text is meant for whoever runs the client.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// Not the name of an index.
    #[error(transparent)]
    Code(#[from] InvalidIndexCode),
    /// The filesystem failed.
    #[error("{0}; try again, and if it stays so look at this host's drives")]
    Disk(#[from] DiskError),
    /// A file that the answer depends on is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// Files kept changing while they were being looked at.
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
}

impl From<Error> for ManagerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Disk(error) => Self::Disk(error),
            Error::Corrupt(error) => Self::Corrupt(error),
            Error::Unsettled(error) => Self::Unsettled(error),
        }
    }
}
