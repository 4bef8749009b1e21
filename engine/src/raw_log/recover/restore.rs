//! Brings back to the drive what only the page cache still has.
//!
//! An fdatasync that fails leaves its pages clean: the kernel shows them, and never writes them again. The writer writes
//! their frames to another segment; where its process ends before that is done, the page cache of the machine, which goes
//! on, is the only place that has them, and recovery believes nothing but the drive. So whole frames that the cache shows
//! behind those that the drive has are written once more, and read back from the drive. They go through the cache, as long as
//! that helps: a write past it drops the only copy first. Then recovery reads the drive as ever: what could not be brought back, or was
//! driven out of memory meanwhile, is lost as it would be without this.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::report::RecoveryReport;
use crate::error::{DiskError, Error, Result, Verb};
use crate::format::names::RawName;
use crate::format::raw::FRAMES_OFFSET;
use crate::ids::Epoch;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Transfer};
use crate::limits::{DIRECT_BLOCK_BYTES, SCAN_CHUNK_BYTES};
use crate::mutant::or_bug;
use crate::raw_log::read::live::{raw_names, read_blocks};
use crate::raw_log::read::scan::SegmentScan;
use crate::store::Store;

const BLOCK: u64 = DIRECT_BLOCK_BYTES as u64;
/// As much is looked at and written at once, in whole blocks.
const PIECE: u64 = SCAN_CHUNK_BYTES as u64;

/// Looks at each segment that is not sealed. What an earlier start wrote down as lost stays lost: segments of epochs that
/// one has been over are left alone.
///
/// # Errors
/// If `raw/live/` can't be listed, or something is wanting that comes back ([`DiskError::is_shortage`]): the next start may
/// have it. What else goes wrong with a segment is told in the report.
pub(super) async fn restore<D: Disk>(store: &Store<D>, report: &mut RecoveryReport) -> Result<()> {
    or_bug!(CacheAbandoned, (), return Ok(()));
    let names = raw_names(store, &store.layout().raw_live()).await?;
    let lost = names.iter().filter_map(|name| match name {
        RawName::Lost(epoch) => Some(*epoch),
        RawName::Legacy(_) | RawName::Segment { .. } | RawName::Ready(_) => None,
    });
    let gone_over: BTreeSet<Epoch> = lost.collect();
    for name in names {
        match name {
            RawName::Legacy(_) | RawName::Lost(_) => {}
            RawName::Segment { .. } | RawName::Ready(_) => {
                match segment(store.disk(), &store.layout().live(name), &gone_over).await {
                    Ok(bytes) => report.restored_bytes += bytes,
                    // Archived meanwhile, so it was sealed.
                    Err(error) if error.is_not_found() => {}
                    Err(error) if error.is_shortage() => return Err(error),
                    Err(error) => report.unrestored.push(error.to_string()),
                }
            }
        }
    }
    Ok(())
}

/// Restores one segment, if it is in use and sealed nowhere; how many bytes were written.
async fn segment<D: Disk>(disk: &D, path: &Path, gone_over: &BTreeSet<Epoch>) -> Result<u64> {
    let (shown, _) = read_blocks(disk, path, Transfer::Cached).await?;
    let Ok(header) = shown.header else { return Ok(0) };
    if !shown.seal_is_zero || gone_over.contains(&header.epoch) {
        return Ok(0);
    }
    let whole = whole_frames_end(disk, path, Transfer::Cached).await?;
    if whole == FRAMES_OFFSET {
        return Ok(0);
    }
    let (held, _) = read_blocks(disk, path, Transfer::Direct).await?;
    let held_whole = match held.header {
        _ if !held.seal_is_zero => return Ok(0),
        Ok(same) if same == header => whole_frames_end(disk, path, Transfer::Direct).await?,
        // What the drive has is another life of the file.
        Ok(_) => return Ok(0),
        Err(_) => FRAMES_OFFSET,
    };
    let (mut bytes, mut from) = (0, held_whole);
    while from < whole {
        let to = whole.min((from + 1).next_multiple_of(PIECE));
        bytes += frames(disk, path, from..to).await?;
        from = to;
    }
    // At last, since without it the drive shows nothing of the frames, and the next start would look again.
    if held.header.is_err() {
        bytes += write(disk, path, 0, &header.encode()).await?;
    }
    Ok(bytes)
}

/// Where the last whole frame ends, with its padding, before the first thing that is none.
async fn whole_frames_end<D: Disk>(disk: &D, path: &Path, transfer: Transfer) -> Result<u64> {
    let mut scan = SegmentScan::open(disk, path, transfer).await?;
    while scan.next_frame().await?.is_some() {}
    Ok(scan.point().offset)
}

/// Writes what the cache shows of this range, block by block where the drive has something else; around it everything stays
/// as the drive has it.
async fn frames<D: Disk>(disk: &D, path: &Path, range: Range<u64>) -> Result<u64> {
    let blocks = range.start / BLOCK * BLOCK..range.end.next_multiple_of(BLOCK);
    let held = read(disk, path, &blocks, Transfer::Direct).await?;
    let shown = read(disk, path, &blocks, Transfer::Cached).await?;
    let within = |offset: u64| usize::try_from(offset - blocks.start).expect("segments fit into memory");
    let mut wanted = AlignedBuf::copy_of(&held);
    let frames = within(range.start)..within(range.end);
    wanted.whole_mut()[frames.clone()].copy_from_slice(&shown[frames]);
    let differs = |place: &usize| {
        let block = place * DIRECT_BLOCK_BYTES..(place + 1) * DIRECT_BLOCK_BYTES;
        wanted[block.clone()] != held[block]
    };
    let count = wanted.len() / DIRECT_BLOCK_BYTES;
    let (Some(first), Some(last)) = ((0..count).find(differs), (0..count).rfind(differs)) else {
        return Ok(0);
    };
    let different = first * DIRECT_BLOCK_BYTES..(last + 1) * DIRECT_BLOCK_BYTES;
    write(disk, path, blocks.start + different.start as u64, &wanted[different]).await
}

/// The blocks of a file; what it has not got of them is zero.
async fn read<D: Disk>(
    disk: &D,
    path: &Path,
    blocks: &Range<u64>,
    transfer: Transfer,
) -> DiskResult<AlignedBuf> {
    let len = usize::try_from(blocks.end - blocks.start).expect("segments fit into memory");
    let file = disk.open(path, transfer).await?;
    let (result, mut buffer) = file.read_at(AlignedBuf::with_capacity(len), blocks.start).await;
    result?;
    let got = buffer.len();
    buffer.set_len(len);
    buffer.whole_mut()[got..len].fill(0);
    Ok(buffer)
}

/// Writes whole blocks, and sees that the drive gives them back; how many bytes.
async fn write<D: Disk>(disk: &D, path: &Path, offset: u64, bytes: &[u8]) -> Result<u64> {
    write_and_sync(disk, path, offset, bytes, Transfer::Cached).await?;
    let blocks = offset..offset + bytes.len() as u64;
    if read(disk, path, &blocks, Transfer::Direct).await?[..] != *bytes {
        // ext4 leaves blocks that were only allocated as they were when a write of theirs failed once, and takes later ones of
        // the same pages for done.
        write_and_sync(disk, path, offset, bytes, Transfer::Direct).await?;
        if read(disk, path, &blocks, Transfer::Direct).await?[..] != *bytes {
            let what = std::io::Error::other("the drive does not give back what was written");
            return Err(Error::Disk(DiskError::new(Verb::Restore, path, what)));
        }
    }
    Ok(bytes.len() as u64)
}

async fn write_and_sync<D: Disk>(
    disk: &D,
    path: &Path,
    offset: u64,
    bytes: &[u8],
    transfer: Transfer,
) -> DiskResult<()> {
    let file = disk.open_write(path, transfer).await?;
    // What failed before, of which maybe nobody was told yet, is not to be taken for a failure of this.
    let _ = file.sync().await;
    file.write_at(AlignedBuf::copy_of(bytes), offset).await.0?;
    file.sync().await
}
