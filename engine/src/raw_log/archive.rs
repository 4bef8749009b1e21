//! Moves dealt epochs from `raw/live/` to `raw/history/`.

use std::path::Path;

use super::live::{LiveView, SegmentState};
use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::ids::Epoch;
use crate::io::disk::Disk;

/// Moves all files of the epochs before `dealt_before` to history, durably, and returns how many. The
/// checkpoint must be durable at `dealt_before` or later. Repeating it is harmless; an interrupted one is finished
/// by the next. A segment that is not sealed stays where it is.
///
/// # Errors
/// The disk's.
pub async fn archive<D: Disk>(
    disk: &D,
    layout: &Layout,
    view: &LiveView,
    dealt_before: Epoch,
) -> Result<u64> {
    let mut moved = 0;
    for epoch in view.epochs.range(..dealt_before).map(|(_, epoch)| epoch) {
        for segment in &epoch.segments {
            let finished = match segment.state {
                SegmentState::Legacy { .. } | SegmentState::Sealed(..) | SegmentState::HeaderDamaged(_) => {
                    true
                }
                SegmentState::Open(_) | SegmentState::SealDamaged(..) => false,
            };
            if finished {
                moved += u64::from(move_to_history(disk, layout, &segment.path, segment.name).await?);
            }
        }
        if epoch.lost.is_some() {
            let name = RawName::Lost(epoch.epoch);
            moved += u64::from(move_to_history(disk, layout, &layout.live(name), name).await?);
        }
    }
    if moved > 0 {
        // The new names first: a power cut in between leaves both, never neither.
        disk.sync_folder(&layout.raw_history()).await?;
        disk.sync_folder(&layout.raw_live()).await?;
    }
    Ok(moved)
}

async fn move_to_history<D: Disk>(disk: &D, layout: &Layout, path: &Path, name: RawName) -> Result<bool> {
    let target = layout.history(name);
    // The second is for a ready file that got its name since the look.
    for from in [path, &layout.live(name)] {
        match disk.rename(from, &target).await {
            Ok(()) => return Ok(true),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}
