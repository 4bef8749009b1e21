use logtank_wire::info::{IndexLogInfo, SegmentInfo};

use super::ManagerError;
use crate::deletions;
use crate::error::Result;
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{SegmentKind, SegmentName};
use crate::ids::IndexCode;
use crate::index_log::chain::{Chain, ChainSegment};
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::Disk;
use crate::store::Store;

/// What `get_index_log_info` answers: the index's optimized segments, the sorted and unsorted ones after the newest
/// of them, and how many records they hold. Lengths are those of the files, in bytes. Zeros for an unknown
/// index, which is not created.
///
/// # Errors
/// If `index_code` is no index code, the disk's, or corruption of the index's deletion.
pub async fn get_index_log_info<D: Disk>(
    store: &Store<D>,
    index_code: &[u8],
) -> Result<IndexLogInfo, ManagerError> {
    let code = IndexCode::new(index_code)?;
    let chain = look(store, &code).await?;
    let counts = chain.record_counts();
    let mut optimized = Vec::new();
    for &name in chain.superseded.iter().filter(|name| name.kind == SegmentKind::Optimized) {
        // The cleaner may have been here since.
        if let Some(found) = store.disk().metadata(&store.layout().segment(&code, name)).await? {
            optimized.push(info(name, found.len));
        }
    }
    let of = |segment: &ChainSegment| info(segment.name, segment.bytes);
    optimized.extend(chain.optimized.iter().map(of));
    Ok(IndexLogInfo {
        optimized_segments: optimized,
        sorted_segments: chain.sorted.iter().map(of).collect(),
        unsorted_segments: chain.unsorted.iter().map(of).collect(),
        optimized_record_count: saturated(counts.optimized),
        unoptimized_record_count: saturated(counts.unoptimized),
        unoptimized_segments: i32::try_from(counts.unoptimized_segments).unwrap_or(i32::MAX),
        last_optimization_timestamp: saturated(counts.last_optimization.millis()),
    })
}

/// The index's segments, by the light of its present deletion.
pub(super) async fn look<D: Disk>(store: &Store<D>, code: &IndexCode) -> Result<Chain> {
    let mut deletion = deletions::load_one(store, code).await?;
    loop {
        let checkpoint = Checkpoint::read(store).await?.next()?;
        let chain = IndexStore::new(store, code, Bounds { checkpoint, deletion }).chain().await?;
        // Only when it is read behind the segments does it tell of all that was removed because of it.
        let again = deletions::load_one(store, code).await?;
        if again == deletion {
            return Ok(chain);
        }
        deletion = again;
    }
}

fn info(name: SegmentName, bytes: u64) -> SegmentInfo {
    SegmentInfo {
        timestamp: saturated(name.time.millis()),
        end_timestamp: 0,
        valid_length: saturated(bytes),
        actual_length: saturated(bytes),
        record_count: i32::try_from(name.records).unwrap_or(i32::MAX),
        sorted: name.kind != SegmentKind::Unsorted,
    }
}

pub(super) fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
