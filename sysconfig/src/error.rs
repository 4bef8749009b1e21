use std::io;
use std::path::PathBuf;

/// Why something could not be found out, measured or changed.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// A file or folder could not be read.
    #[error("{} can't be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("{} can't be written: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The drive could not be measured.
    #[error("the drive of {} can't be measured: {source}", folder.display())]
    Measure {
        /// Where it was tried.
        folder: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// A measurement that is of another drive than the folder asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("measured on another drive ({measured}) than the raw log's ({here})")]
pub struct OtherDrive {
    /// What was measured, as [`crate::identity`] told it then.
    pub measured: String,
    /// What is there now.
    pub here: String,
}
