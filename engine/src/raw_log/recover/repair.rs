//! Salvages what is whole of damaged segments in `raw/live/`, so that dealing can go on.
//!
//! An epoch is dealt only when it can be read whole. When a damaged file can't be put back from a copy, this
//! writes down which positions are gone (`EPOCH.lost`, as recovery does), keeps the damaged file aside, and puts a
//! segment with all frames that verify in its place. Of two records with one position, which only a fault of the host can
//! make, one gives way: it is named, and is in the file that is kept. What was reported lost before stays lost. Each step is durable
//! before the next; a repair that was interrupted is done by doing it again.

mod overlaps;
mod rebuilt;
mod reported;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::overlaps::{Claim, Overlaps};
use self::rebuilt::Rebuilt;
use self::reported::Reported;
use crate::error::Result;
use crate::format::names::RawName;
use crate::ids::Position;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{self, Disk, DiskFile, Transfer};
use crate::raw_log::read::gaps::Spans;
use crate::raw_log::read::live::{EpochView, LiveView, SegmentState, SegmentView};
use crate::raw_log::read::lost::Lost;
use crate::raw_log::read::scan::{Item, SegmentScan};
use crate::store::Store;
use crate::store::aside::keep_copy;
use crate::time::WallMillis;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Segments that were replaced, or removed because nothing of them was whole.
    pub segments: Vec<RepairedSegment>,
    /// What is gone of each epoch concerned.
    pub lost: Vec<Lost>,
    /// Damaged segments of the original: they have nothing to find the next whole record by, and stay.
    pub left: Vec<PathBuf>,
    /// Damaged .lost files: nobody knows any more what they reported lost.
    pub forgotten: Vec<Forgotten>,
}

/// A .lost file that can't be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Its name.
    pub path: PathBuf,
    /// Where it is as it was.
    pub aside: PathBuf,
    /// Records that can be read and count as lost all the same: they may be what the file reported.
    pub given_up: u64,
}

/// One segment that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedSegment {
    /// The name that it has.
    pub path: PathBuf,
    /// Where it is as it was.
    pub aside: PathBuf,
    /// Records that are whole.
    pub records: u64,
    /// Whole records that are not among them, since others have their positions: how many of each index.
    pub displaced: BTreeMap<String, u64>,
}

/// Repairs every damaged epoch of `raw/live/`. What is replaced is copied to the folder `aside` first, which is created.
/// The raw log must be in order (see [`super`]) and nobody may write or deal.
///
/// # Errors
/// The disk's. What was done before stays done.
pub async fn repair<D: Disk>(store: &Store<D>, aside: &Path, now: WallMillis) -> Result<Repaired> {
    let mut repaired = Repaired::default();
    let view = LiveView::look(store, Transfer::Direct).await?;
    let repair = RawRepair { store, aside, view: &view, now };
    for epoch in view.epochs.values() {
        repair.epoch(epoch, &mut repaired).await?;
    }
    Ok(repaired)
}

/// What is whole of one segment.
#[derive(Debug)]
struct Salvaged {
    /// A segment of it; `None` if the header is lost, and with it the salt of every frame.
    bytes: Option<Vec<u8>>,
    records: u64,
    spans: Spans,
    frames: Vec<Claim>,
    displaced: BTreeMap<String, u64>,
    damaged: bool,
    /// Ordinals handed out in the epoch, if the seal tells.
    epoch_records: u32,
}

/// Repairs a raw log.
struct RawRepair<'r, D> {
    store: &'r Store<D>,
    aside: &'r Path,
    view: &'r LiveView,
    now: WallMillis,
}

impl<D: Disk> RawRepair<'_, D> {
    async fn epoch(&self, epoch: &EpochView, repaired: &mut Repaired) -> Result<()> {
        let found = self.salvage(epoch, repaired).await?;
        if found.iter().all(|(_, salvaged)| !salvaged.damaged) && !matches!(epoch.lost, Some(Err(_))) {
            return Ok(());
        }
        let lost = self.lost(epoch, &found, repaired).await?;
        // First what is gone: from then on nobody waits for it.
        lost.publish(self.store, &self.store.layout().live(RawName::Lost(epoch.epoch))).await?;
        repaired.lost.push(lost);
        for (segment, salvaged) in found.into_iter().filter(|(_, salvaged)| salvaged.damaged) {
            repaired.segments.push(replace(self.store, segment, salvaged, self.aside).await?);
        }
        Ok(())
    }

    /// What is whole of each segment of this host; a damaged one of the original stays.
    async fn salvage<'e>(
        &self,
        epoch: &'e EpochView,
        repaired: &mut Repaired,
    ) -> Result<Vec<(&'e SegmentView, Salvaged)>> {
        let disk = self.store.disk();
        let mut found = Vec::new();
        for segment in &epoch.segments {
            if let SegmentState::Legacy { .. } = segment.state {
                if is_damaged(disk, segment).await? {
                    repaired.left.push(segment.path.clone());
                }
                continue;
            }
            found.push((segment, salvage(disk, segment, self.now, &Overlaps::default()).await?));
        }
        let overlaps =
            Overlaps::find(found.iter().flat_map(|(_, salvaged)| salvaged.frames.iter().cloned()).collect());
        for (segment, salvaged) in &mut found {
            if salvaged.frames.first().is_some_and(|(shard, _)| overlaps.concern(*shard)) {
                *salvaged = salvage(disk, segment, self.now, &overlaps).await?;
            }
        }
        Ok(found)
    }

    /// What is gone of an epoch, with what was reported lost before. Keeps a damaged .lost file aside.
    async fn lost(
        &self,
        epoch: &EpochView,
        found: &[(&SegmentView, Salvaged)],
        repaired: &mut Repaired,
    ) -> Result<Lost> {
        let mut spans = Spans::default();
        for (_, salvaged) in found {
            spans.add_all(&salvaged.spans);
        }
        let told = found.iter().map(|(_, salvaged)| salvaged.epoch_records).max().unwrap_or(0);
        let total = spans.end().max(told);
        let readable: Vec<_> = found.iter().map(|(segment, salvaged)| (*segment, &salvaged.spans)).collect();
        let Reported { gaps: known, damaged } =
            reported::reported(self.store, self.view, epoch, &readable).await?;
        if let Some(bytes) = damaged {
            let name = RawName::Lost(epoch.epoch);
            let aside = keep_copy(self.store, self.aside, &name.to_string(), &bytes).await?;
            let given_up = Lost { epoch: epoch.epoch, gaps: known.clone().normalized() }.records();
            repaired.forgotten.push(Forgotten { path: self.store.layout().live(name), aside, given_up });
        }
        let mut gaps = spans.gaps(total);
        gaps.add_all(&known);
        Ok(Lost { epoch: epoch.epoch, gaps: gaps.normalized() })
    }
}

async fn is_damaged<D: Disk>(disk: &D, segment: &SegmentView) -> Result<bool> {
    let mut items = SegmentScan::open(disk, &segment.path, Transfer::Direct).await?.strict();
    while let Some(item) = items.next().await? {
        if matches!(item, Item::Damage(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn salvage<D: Disk>(
    disk: &D,
    segment: &SegmentView,
    now: WallMillis,
    overlaps: &Overlaps,
) -> Result<Salvaged> {
    let (header, seal) = match &segment.state {
        SegmentState::Sealed(header, seal) => (*header, Some(*seal)),
        SegmentState::Open(header) | SegmentState::SealDamaged(header, _) => (*header, None),
        SegmentState::HeaderDamaged(_) => {
            return Ok(Salvaged {
                bytes: None,
                records: 0,
                spans: Spans::default(),
                frames: Vec::new(),
                displaced: BTreeMap::new(),
                damaged: true,
                epoch_records: 0,
            });
        }
        SegmentState::Legacy { .. } => unreachable!("sorted out before"),
    };
    let mut rebuilt = Rebuilt::new(header);
    let (mut spans, mut frames, mut displaced) = (Spans::default(), Vec::new(), BTreeMap::new());
    // An open one was left by a crash after the raw log was put in order, which can't be: its seal is gone.
    let mut damaged = seal.is_none();
    let mut items = SegmentScan::open(disk, &segment.path, Transfer::Direct).await?.salvaging();
    while let Some(item) = items.next().await? {
        match item {
            Item::Frame(frame) => {
                let claim = (header.shard, frame.first..frame.end());
                match overlaps.of(&claim) {
                    None => {
                        spans.add(frame.first, frame.end());
                        rebuilt.push(&frame);
                    }
                    Some(others) => {
                        damaged = true;
                        rebuilt.push_without(&frame, others, &mut spans, &mut displaced)?;
                    }
                }
                frames.push(claim);
            }
            Item::Damage(_) => damaged = true,
            // Without a seal the first thing that is no frame looks like the end.
            Item::End(_) => {}
        }
    }
    let epoch_records = seal.and_then(|seal| seal.epoch_records).unwrap_or(0);
    let (bytes, records) = rebuilt.sealed(seal, now);
    Ok(Salvaged { bytes: Some(bytes), records, spans, frames, displaced, damaged, epoch_records })
}

/// Keeps the damaged file aside, then puts what is whole in its place in one step.
async fn replace<D: Disk>(
    store: &Store<D>,
    segment: &SegmentView,
    salvaged: Salvaged,
    aside: &Path,
) -> Result<RepairedSegment> {
    let file = store.disk().open(&segment.path, Transfer::Cached).await?;
    let length = usize::try_from(file.len().await?).expect("a segment fits into memory");
    let (result, bytes) = file.read_at(AlignedBuf::with_capacity(length), 0).await;
    result?;
    let kept = keep_copy(store, aside, &segment.name.to_string(), &bytes).await?;
    match &salvaged.bytes {
        Some(bytes) => store.publish(&segment.path, bytes).await?,
        None => {
            store.disk().remove_file(&segment.path).await?;
            store.disk().sync_folder(disk::parent(&segment.path)).await?;
        }
    }
    let Salvaged { records, displaced, .. } = salvaged;
    Ok(RepairedSegment { path: segment.path.clone(), aside: kept, records, displaced })
}

impl Repaired {
    /// Records that are gone, over all epochs.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.lost.iter().map(Lost::records).sum()
    }

    /// The gaps as ranges of positions, for people.
    pub fn lost_positions(&self) -> impl Iterator<Item = (Position, u32)> + '_ {
        let gaps = |lost: &Lost| {
            let epoch = lost.epoch;
            lost.gaps
                .iter()
                .map(move |&(first, end)| (Position::new(epoch, first), end - first))
                .collect::<Vec<_>>()
        };
        self.lost.iter().flat_map(gaps)
    }
}

#[cfg(test)]
mod tests;
