//! Carries a plan out, each step durable before the next.

use std::ops::Range;
use std::path::Path;

use super::plan::{Plan, Seal};
use crate::error::Result;
use crate::format::names::RawName;
use crate::format::raw::{self, FRAMES_OFFSET, SEAL_OFFSET, SealedBy};
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Transfer};
use crate::limits::DIRECT_BLOCK_BYTES;
use crate::mutant::or_bug;
use crate::store::Store;
use crate::time::WallMillis;

const BLOCK: u64 = DIRECT_BLOCK_BYTES as u64;

pub(super) async fn apply<D: Disk>(store: &Store<D>, plan: &Plan, now: WallMillis) -> Result<()> {
    // What was read from the drive may not have reached its medium. What is written down here holds of all segments together: the
    // next start takes an epoch with a seal of recovery, or a .lost file, for one that was looked through, and would not notice if
    // a power cut took another segment of it.
    for seal in or_bug!(SealedOneByOne, &plan.seals[..], &[]) {
        store.disk().open_write(&seal.path, Transfer::Direct).await?.sync().await?;
    }
    for lost in &plan.lost {
        lost.publish(store, &store.layout().live(RawName::Lost(lost.epoch))).await?;
    }
    for seal in &plan.seals {
        let file = store.disk().open_write(&seal.path, Transfer::Direct).await?;
        for stale in &seal.stale {
            zero(&file, stale.clone()).await?;
        }
        if seal.cut {
            // So that no frame begins there.
            zero(&file, seal.end..(seal.end / BLOCK + 1) * BLOCK).await?;
        }
        file.sync().await?;
        write_seal(&file, seal, now).await?;
        file.sync().await?;
    }
    for unusable in &plan.resets {
        reset(store.disk(), &unusable.file.path).await?;
    }
    Ok(())
}

/// Zeros a range within one block. What else stands in the block is written as it was: a torn write changes nothing of it.
async fn zero<F: DiskFile>(file: &F, range: Range<u64>) -> DiskResult<()> {
    let begin = range.start / BLOCK * BLOCK;
    let (result, mut buffer) = file.read_at(AlignedBuf::with_capacity(DIRECT_BLOCK_BYTES), begin).await;
    result?;
    let within = |offset: u64| usize::try_from(offset - begin).expect("within a block");
    if buffer.len() <= within(range.start) {
        return Ok(());
    }
    buffer.whole_mut()[within(range.start)..within(range.end)].fill(0);
    buffer.set_len(DIRECT_BLOCK_BYTES);
    file.write_at(buffer, begin).await.0
}

async fn write_seal<F: DiskFile>(file: &F, seal: &Seal, now: WallMillis) -> DiskResult<()> {
    let block = raw::Seal {
        salt: seal.header.salt,
        epoch: seal.header.epoch,
        end: seal.end,
        frames: seal.frames,
        records: seal.records,
        epoch_records: None,
        previous: None,
        sealed_by: SealedBy::Recovery,
        sealed: now,
    };
    file.write_at(AlignedBuf::copy_of(&block.encode()), SEAL_OFFSET).await.0
}

/// Makes a file whose header is torn one that is not in use, durably.
async fn reset<D: Disk>(disk: &D, path: &Path) -> DiskResult<()> {
    let file = disk.open_write(path, Transfer::Direct).await?;
    let mut zeros = AlignedBuf::with_capacity(FRAMES_OFFSET as usize);
    zeros.set_len(FRAMES_OFFSET as usize);
    file.write_at(zeros, 0).await.0?;
    file.sync().await
}
