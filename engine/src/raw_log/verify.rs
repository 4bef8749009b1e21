//! Checks every byte under `raw/` that something depends on.

use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::io::disk::Disk;

/// What was checked and what was found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records found whole.
    pub records: u64,
    /// What is wrong, each with its file and offset: damage, or that a file could not be read.
    pub findings: Vec<Error>,
}

/// Reads `raw/live/` and `raw/history/` whole. Findings don't end it.
///
/// # Errors
/// The disk's, if the folders can't be listed.
pub async fn verify<D: Disk>(_disk: &D, _layout: &Layout) -> Result<VerifyReport> {
    unimplemented!("contract only")
}
