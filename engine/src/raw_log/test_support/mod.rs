//! For tests of the raw log: segments to order, and the folders that they are in.

mod segments;

pub(crate) use crate::testing::{Cut, MemDisk};
pub(crate) use segments::{LegacyBytes, SegmentBytes, epoch, position};

use std::path::Path;

use crate::format::layout::Layout;

/// The data directory of all tests.
pub(crate) fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}

/// With the folders of the raw log, durable; segments are read and written by whole blocks.
pub(crate) fn raw_disk() -> MemDisk {
    let disk = MemDisk::new();
    for folder in [layout().raw_live(), layout().raw_history(), layout().raw_spare()] {
        disk.put_folder(folder);
    }
    disk.demand_alignment();
    disk
}
