//! What an epoch's .lost file reported lost: it stays lost, whatever can be read again.
//!
//! Where the file is damaged, nobody knows that any more. Of what can be read, only whole segments can be concerned: what
//! stood behind a hole within one was cut off, but a segment that stood behind the hole of another one still has its
//! frames. So those of a segment count only where it is its shard's first, or where the frame before it is there and
//! was not reported lost itself.

use crate::error::{Error, Result};
use crate::format::names::RawName;
use crate::ids::{Position, ShardId};
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::raw_log::read::gaps::Spans;
use crate::raw_log::read::live::{EpochView, LiveView, SegmentState, SegmentView, raw_names};
use crate::raw_log::read::lost::Lost;
use crate::raw_log::read::scan::{Item, SegmentScan};
use crate::store::Store;

/// What must stay lost.
#[derive(Debug, Default)]
pub(super) struct Reported {
    pub(super) gaps: Spans,
    /// The bytes of the .lost file, if it is damaged.
    pub(super) damaged: Option<Vec<u8>>,
}

/// What was reported lost of `epoch`, of whose segments `readable` can be read.
pub(super) async fn reported<D: Disk>(
    store: &Store<D>,
    view: &LiveView,
    epoch: &EpochView,
    readable: &[(&SegmentView, &Spans)],
) -> Result<Reported> {
    let mut reported = Reported::default();
    match &epoch.lost {
        None => {}
        Some(Ok(lost)) => lost.gaps.iter().for_each(|&(first, end)| reported.gaps.add_ordinals(first, end)),
        Some(Err(_)) => {
            let path = store.layout().live(RawName::Lost(epoch.epoch));
            let file = store.disk().open(&path, Transfer::Cached).await?;
            let length = usize::try_from(file.len().await?).expect("such a file fits into memory");
            let (result, bytes) = file.read_at(AlignedBuf::with_capacity(length), 0).await;
            result?;
            reported.damaged = Some(bytes.to_vec());
            for (segment, spans) in readable {
                if !is_shown_whole(store, view, &reported.gaps, segment).await? {
                    reported.gaps.add_all(spans);
                }
            }
        }
    }
    Ok(reported)
}

/// Whether it can be shown that nothing is missing before a segment; `given_up` of its epoch counts as lost.
async fn is_shown_whole<D: Disk>(
    store: &Store<D>,
    view: &LiveView,
    given_up: &Spans,
    segment: &SegmentView,
) -> Result<bool> {
    let header = match &segment.state {
        SegmentState::Open(header)
        | SegmentState::Sealed(header, _)
        | SegmentState::SealDamaged(header, _) => header,
        SegmentState::Legacy { .. } | SegmentState::HeaderDamaged(_) => return Ok(true),
    };
    let Some(before) = header.follows else { return Ok(true) };
    if before.epoch() == header.epoch {
        return Ok(!given_up.contains(before.ordinal()) && is_there(store, header.shard, before).await?);
    }
    let lost = match view.epochs.get(&before.epoch()).map(|epoch| &epoch.lost) {
        Some(lost) => lost.clone(),
        None => lost_in_history(store, before).await?,
    };
    let reported_lost = match lost {
        None => false,
        Some(Ok(lost)) => lost.gaps.iter().any(|(first, end)| (*first..*end).contains(&before.ordinal())),
        Some(Err(_)) => true,
    };
    Ok(!reported_lost && is_there(store, header.shard, before).await?)
}

async fn lost_in_history<D: Disk>(
    store: &Store<D>,
    position: Position,
) -> Result<Option<Result<Lost, crate::error::Corruption>>> {
    let path = store.layout().history(RawName::Lost(position.epoch()));
    match Lost::read(store.disk(), &path, position.epoch()).await {
        Err(error) if error.is_not_found() => Ok(None),
        lost => Ok(Some(lost?)),
    }
}

/// Whether a shard's frame that begins at `position` can be read, in raw/live/ or in raw/history/.
async fn is_there<D: Disk>(store: &Store<D>, shard: ShardId, position: Position) -> Result<bool> {
    for folder in [store.layout().raw_live(), store.layout().raw_history()] {
        for name in raw_names(store, &folder).await? {
            let of_shard = matches!(
                name,
                RawName::Segment { epoch, shard: its, .. } if epoch == position.epoch() && its == shard
            );
            if of_shard && holds(store.disk(), &folder.join(name.to_string()), position).await? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

async fn holds<D: Disk>(disk: &D, path: &std::path::Path, position: Position) -> Result<bool> {
    let scan = match SegmentScan::open(disk, path, Transfer::Direct).await {
        Err(Error::Corrupt(_)) => return Ok(false),
        scan => scan?,
    };
    let mut items = scan.strict();
    while let Some(item) = items.next().await? {
        if matches!(item, Item::Frame(frame) if frame.first == position) {
            return Ok(true);
        }
    }
    Ok(false)
}
