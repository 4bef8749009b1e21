use logtank_wire::info::{RawLogInfo, SegmentInfo};

use super::ManagerError;
use super::index_info::saturated;
use crate::format::checkpoint::Checkpoint;
use crate::ids::Epoch;
use crate::io::disk::{Disk, Transfer};
use crate::raw_log::read::live::{LiveView, SegmentState, SegmentView};
use crate::store::Store;

/// What `get_raw_log_info` answers: the raw segments that are not dealt, by time, each shard's by itself, and
/// the next time to deal. How many records an open segment holds, and in how many bytes, only scanning it would tell: zero.
///
/// # Errors
/// The disk's, or corruption of the dealer's checkpoint.
pub async fn get_raw_log_info<D: Disk>(store: &Store<D>) -> Result<RawLogInfo, ManagerError> {
    let live = LiveView::look(store, Transfer::Cached).await?;
    let next = Checkpoint::read(store).await?.next()?;
    let undealt = live.epochs.range(next..).map(|(_, epoch)| epoch);
    let segments = undealt.flat_map(|epoch| epoch.segments.iter().map(|segment| info(epoch.epoch, segment)));
    Ok(RawLogInfo { undealt_segments: segments.collect(), dealer_next_timestamp: saturated(next.millis()) })
}

fn info(epoch: Epoch, segment: &SegmentView) -> SegmentInfo {
    let (valid, actual, records) = match &segment.state {
        SegmentState::Legacy { bytes } => (*bytes, *bytes, 0),
        SegmentState::Sealed(header, seal) => (seal.end, header.file_bytes, seal.records),
        SegmentState::Open(header) | SegmentState::SealDamaged(header, _) => (0, header.file_bytes, 0),
        SegmentState::HeaderDamaged(_) => (0, 0, 0),
    };
    SegmentInfo {
        timestamp: saturated(epoch.millis()),
        end_timestamp: 0,
        valid_length: saturated(valid),
        actual_length: saturated(actual),
        record_count: i32::try_from(records).unwrap_or(i32::MAX),
        sorted: false,
    }
}
