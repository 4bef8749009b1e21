//! Brings back to the drive what only the page cache still has.
//!
//! An fdatasync that fails leaves its pages clean: the kernel shows them, and never writes them again. The writer writes
//! their frames to another segment; where its process ends before that is done, the page cache of the machine, which goes
//! on, is the only place that has them, and recovery believes nothing but the drive. So what verifies there is written to
//! the drive first, past the cache, which tells of each write whether it succeeded. Then recovery reads the drive as ever:
//! what could not be brought back, or was driven out of memory meanwhile, is lost as it would be without this.

use std::collections::BTreeSet;
use std::path::Path;

use super::report::RecoveryReport;
use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::ids::Epoch;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Transfer};
use crate::limits::{DIRECT_BLOCK_BYTES, SCAN_CHUNK_BYTES};
use crate::mutant::{self, Mutant};
use crate::raw_log::live::{raw_names, read_blocks};
use crate::raw_log::scan::SegmentScan;

/// Looks at each segment that is not sealed. What an earlier start wrote down as lost stays lost: segments of epochs that
/// one has been over are left alone.
///
/// # Errors
/// If `raw/live/` can't be listed. What goes wrong with a segment is told in the report.
pub(super) async fn restore<D: Disk>(disk: &D, layout: &Layout, report: &mut RecoveryReport) -> Result<()> {
    if mutant::active(Mutant::CacheAbandoned) {
        return Ok(());
    }
    let names = raw_names(disk, &layout.raw_live()).await?;
    let lost = names.iter().filter_map(|name| match name {
        RawName::Lost(epoch) => Some(*epoch),
        RawName::Legacy(_) | RawName::Segment { .. } | RawName::Ready(_) => None,
    });
    let gone_over: BTreeSet<Epoch> = lost.collect();
    for name in names {
        match name {
            RawName::Legacy(_) | RawName::Lost(_) => {}
            RawName::Segment { .. } | RawName::Ready(_) => {
                match segment(disk, &layout.live(name), &gone_over).await {
                    Ok(bytes) => report.restored_bytes += bytes,
                    Err(error) => report.unrestored.push(error.to_string()),
                }
            }
        }
    }
    Ok(())
}

/// Restores one segment, if it is in use and not sealed; how many bytes of it the drive had not got.
async fn segment<D: Disk>(disk: &D, path: &Path, gone_over: &BTreeSet<Epoch>) -> Result<u64> {
    let (blocks, _) = read_blocks(disk, path, Transfer::Cached).await?;
    let Ok(header) = blocks.header else { return Ok(0) };
    if !blocks.seal_is_zero || gone_over.contains(&header.epoch) {
        return Ok(0);
    }
    let Some(shown) = whole_frames(disk, path).await? else { return Ok(0) };
    let file = disk.open_write(path, Transfer::Direct).await?;
    let mut bytes = 0;
    for (number, chunk) in shown.chunks(SCAN_CHUNK_BYTES).enumerate() {
        let offset = (number * SCAN_CHUNK_BYTES) as u64;
        let (result, held) = file.read_at(AlignedBuf::with_capacity(chunk.len()), offset).await;
        // What can't be read may be written all the same.
        if result.is_err() || held[..] != *chunk {
            file.write_at(AlignedBuf::copy_of(chunk), offset).await.0?;
            bytes += chunk.len() as u64;
        }
    }
    if bytes > 0 {
        file.sync().await?;
    }
    Ok(bytes)
}

/// The segment as the page cache shows it, up to the end of its last whole frame, in whole blocks; `None` without any frame.
async fn whole_frames<D: Disk>(disk: &D, path: &Path) -> Result<Option<AlignedBuf>> {
    let mut scan = SegmentScan::open(disk, path, Transfer::Cached).await?;
    let mut frames = 0_u64;
    while scan.next_frame().await?.is_some() {
        frames += 1;
    }
    if frames == 0 {
        return Ok(None);
    }
    let end = usize::try_from(scan.point().offset).expect("segments fit into memory");
    Ok(Some(read_blocks_up_to(disk, path, end.next_multiple_of(DIRECT_BLOCK_BYTES)).await?))
}

async fn read_blocks_up_to<D: Disk>(disk: &D, path: &Path, end: usize) -> DiskResult<AlignedBuf> {
    let file = disk.open(path, Transfer::Cached).await?;
    let (result, mut buffer) = file.read_at(AlignedBuf::with_capacity(end), 0).await;
    result?;
    // The file may end in its last frame's padding.
    buffer.pad_to(DIRECT_BLOCK_BYTES);
    Ok(buffer)
}
