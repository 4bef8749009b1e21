//! Recovery from front to back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::apply::apply;
use super::inspect::Inspector;
use super::plan::Plan;
use super::report::{Recovered, RecoveryProgress, RecoveryReport};
use super::restore::restore;
use crate::deletions::{Deletions, archive};
use crate::error::{Corruption, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{RawName, is_temporary};
use crate::format::raw::BlockError;
use crate::ids::Epoch;
use crate::io::disk::{Disk, Transfer};
use crate::raw_log::naming::name_durably;
use crate::raw_log::read::live::{
    EpochView, LiveView, ReadyFile, SegmentState, SegmentView, UnusableFile, raw_names, read_blocks,
};
use crate::raw_log::read::missing::stretches;
use crate::raw_log::recover::dealt::next_to_deal;
use crate::store::Store;
use crate::time::WallMillis;

/// Puts the raw log in order: what was left open is read from the drive, cut behind its last whole frame, and
/// sealed; what is missing is written down. Missing folders are created. The caller holds writer.lock.
///
/// May stop at any await and be run again: the result is the same, and what was once reported lost never comes
/// back. What only the page cache has is brought back to the drive first; then everything is read before anything is changed.
///
/// # Errors
/// The disk's: then nothing may be appended. A segment of a later version of the format, or an epoch at the end of
/// time: corruption with its file.
pub async fn recover<D: Disk>(
    store: &Store<D>,
    now: WallMillis,
    progress: &mut dyn FnMut(RecoveryProgress),
) -> Result<Recovered> {
    let mut report = RecoveryReport { temporaries: open_folders(store).await?, ..RecoveryReport::default() };
    restore(store, &mut report).await?;
    report.damaged.extend(archive::take_over(store).await?);
    let mut view = LiveView::look(store, Transfer::Direct).await?;
    // After the look: a dealer of another process may move an epoch to history in between, and what is missing in the view must
    // be known to be dealt then.
    let checkpoint = Checkpoint::read(store).await?;
    let dealt_before = next_to_deal(store, &checkpoint).await?;
    let first_epoch = first_epoch(store, &view, dealt_before, now).await?;
    let mut there = segments_in_history(store).await?;
    let with_segments = |epoch: &&EpochView| !epoch.segments.is_empty() && !is_empty(epoch);
    there.extend(view.epochs.values().filter(with_segments).map(|epoch| epoch.epoch));
    // The checkpoint lies just behind the last epoch dealt, of which history may have nothing left.
    let dealt = dealt_before.millis().checked_sub(1).and_then(Epoch::new);
    let in_live = view.epochs.values().filter(|epoch| !is_empty(epoch)).map(|epoch| epoch.epoch).max();
    let last_epoch = there.last().copied().max(in_live).max(dealt);
    // No record of it was ever acknowledged. Nobody deals it: it is the last of the log, and nothing tells that it ended.
    let empty = view.take_empty_end();

    let mut inspector = Inspector {
        disk: store.disk(),
        plan: Plan::default(),
        report,
        progress: RecoveryProgress::default(),
        tell: progress,
    };
    inspector.inspect(&view, dealt_before).await?;
    let mut plan = inspector.plan;
    report = inspector.report;
    let mut ready = Vec::new();
    for file in std::mem::take(&mut view.ready) {
        match shown_in_use(store.disk(), &file).await? {
            None => ready.push(file),
            Some(stale) => plan.resets.push(stale),
        }
    }

    apply(store, &plan, now).await?;
    report.renamed = rename_claimed(store, &view, &mut report.damaged).await?;
    report.reset = plan.resets.len() as u64;
    for path in empty {
        store.disk().remove_file(&path).await?;
    }
    store.disk().sync_folder(&store.layout().raw_live()).await?;

    ready.extend(plan.resets.into_iter().map(|unusable| unusable.file));
    ready.sort_by_key(|file| file.number);
    let missing = stretches(&there, &report.missing_epochs.iter().copied().collect());
    Ok(Recovered { first_epoch, last_epoch, missing, ready, report })
}

/// Makes the folders and the names in them durable, before anything is done because of a name; deletes what was
/// never completed, and returns how many files that were.
async fn open_folders<D: Disk>(store: &Store<D>) -> Result<u64> {
    let folders = [store.layout().raw_live(), store.layout().raw_history(), store.layout().raw_spare()];
    for folder in &folders {
        store.create_folder(folder).await?;
    }
    let mut temporaries = 0;
    for folder in &folders {
        store.disk().sync_folder(folder).await?;
        for entry in store.disk().list(folder).await? {
            if is_temporary(&entry.name) {
                store.disk().remove_file(&folder.join(&entry.name)).await?;
                temporaries += 1;
            }
        }
        store.disk().sync_folder(folder).await?;
    }
    Ok(temporaries)
}

/// Whether all there is of an epoch is an empty file of the original, which begins each of its segments so.
fn is_empty(epoch: &EpochView) -> bool {
    let empty = |segment: &SegmentView| matches!(segment.state, SegmentState::Legacy { bytes: 0 });
    epoch.lost.is_none() && epoch.segments.iter().all(empty)
}

/// Epochs of which history has a segment.
async fn segments_in_history<D: Disk>(store: &Store<D>) -> Result<BTreeSet<Epoch>> {
    let names = raw_names(store, &store.layout().raw_history()).await?;
    Ok(names
        .into_iter()
        .filter(|name| !matches!(name, RawName::Lost(_)))
        .filter_map(RawName::epoch)
        .collect())
}

/// Whether the page cache shows as in use what is not, as it may after a failed sync: readers, who trust the cache,
/// would see what is lost.
async fn shown_in_use<D: Disk>(disk: &D, file: &ReadyFile) -> Result<Option<UnusableFile>> {
    let (blocks, _) = read_blocks(disk, &file.path, Transfer::Cached).await?;
    let error = match blocks.header {
        Err(BlockError::Empty) if blocks.seal_is_zero => return Ok(None),
        Err(error) => error,
        Ok(_) => BlockError::Empty,
    };
    Ok(Some(UnusableFile { file: file.clone(), error, never_sealed: true }))
}

async fn rename_claimed<D: Disk>(
    store: &Store<D>,
    view: &LiveView,
    damaged: &mut Vec<Corruption>,
) -> Result<u64> {
    let mut renamed = 0;
    for segment in view.epochs.values().flat_map(|epoch| &epoch.segments) {
        let target = store.layout().live(segment.name);
        if segment.path == target {
            continue;
        }
        if store.disk().metadata(&target).await?.is_some() {
            let what = format!("its header says that it is {}, which is there too", segment.name);
            damaged.push(Corruption { path: segment.path.clone(), offset: 0, what });
            continue;
        }
        renamed += u64::from(name_durably(store, &segment.path, segment.name).await?);
    }
    Ok(renamed)
}

/// The epoch to go on with: behind everything that was ever received or referred to, whatever the clock shows.
async fn first_epoch<D: Disk>(
    store: &Store<D>,
    view: &LiveView,
    dealt_before: Epoch,
    now: WallMillis,
) -> Result<Epoch> {
    let mut greatest = (Epoch::ZERO, store.layout().checkpoint());
    let mut consider = |epoch: Epoch, path: PathBuf| {
        if epoch > greatest.0 {
            greatest = (epoch, path);
        }
    };
    for epoch in view.epochs.values() {
        let path = epoch.segments.first().map(|segment| segment.path.clone());
        consider(epoch.epoch, path.unwrap_or_else(|| store.layout().live(RawName::Lost(epoch.epoch))));
    }
    for name in raw_names(store, &store.layout().raw_history()).await? {
        if let Some(epoch) = name.epoch() {
            consider(epoch, store.layout().history(name));
        }
    }
    // A deletion may name an epoch of which a power cut left nothing.
    for (code, position) in Deletions::load(store).await?.iter() {
        consider(position.epoch(), store.layout().deletion(code));
    }
    consider(dealt_before, store.layout().checkpoint());
    let (epoch, path) = greatest;
    // The last two stay free: what follows an epoch must have a name too.
    if epoch.millis() + 2 > Epoch::MAX.millis() {
        let what =
            format!("epoch {epoch} lies at the end of time, nothing could follow it: move the file away");
        return Err(Corruption { path, offset: 0, what }.into());
    }
    Ok(epoch.successor(now))
}
