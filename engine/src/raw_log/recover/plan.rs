//! What is to be changed; made by reading only.

use std::ops::Range;
use std::path::PathBuf;

use crate::format::raw::Header;
use crate::raw_log::read::live::UnusableFile;
use crate::raw_log::read::lost::Lost;

/// A segment to be sealed.
#[derive(Clone, Debug)]
pub(super) struct Seal {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// Offset just past the last frame that counts, and its padding.
    pub(super) end: u64,
    pub(super) frames: u64,
    pub(super) records: u64,
    /// Whether something may follow at `end` that must not be taken for a frame.
    pub(super) cut: bool,
    /// What stands behind frames that count where there should be zeros: their writes ended within the padding. Each
    /// lies within one block.
    pub(super) stale: Vec<Range<u64>>,
}

/// Everything to be done, in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) lost: Vec<Lost>,
    pub(super) seals: Vec<Seal>,
    pub(super) resets: Vec<UnusableFile>,
}
