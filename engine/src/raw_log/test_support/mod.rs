//! For tests of the raw log: segments to order, and a drive that forgets what was not synced.

mod crash_disk;
mod segments;

pub(crate) use crash_disk::{CrashDisk, Cut};
pub(crate) use segments::{LegacyBytes, SegmentBytes, epoch, position};

use std::path::Path;

use crate::format::layout::Layout;

/// The data directory of all tests.
pub(crate) fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}
