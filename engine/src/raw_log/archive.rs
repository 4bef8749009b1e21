//! Moves dealt epochs from `raw/live/` to `raw/history/`.

use super::live::LiveView;
use crate::error::Result;
use crate::format::layout::Layout;
use crate::ids::Epoch;
use crate::io::disk::Disk;

/// Moves all files of the epochs before `dealt_before` to history, durably, and returns how many. The
/// checkpoint must be durable at `dealt_before` or later. Repeating it is harmless; an interrupted one is finished
/// by the next. A segment that is not sealed stays where it is.
///
/// # Errors
/// The disk's.
pub async fn archive<D: Disk>(
    _disk: &D,
    _layout: &Layout,
    _view: &LiveView,
    _dealt_before: Epoch,
) -> Result<u64> {
    unimplemented!("contract only")
}
