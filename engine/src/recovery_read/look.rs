//! One look at everything that a page may need, in the order that keeps it complete (decision page 3).

use super::error::ReadError;
use super::route::{Stretch, View};
use crate::deletions;
use crate::error::Result;
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode, Position};
use crate::index_log::chain::{Chain, ChainSegment, describe};
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::{Disk, Transfer};
use crate::mutant::or_bug;
use crate::raw_log::read::live::LiveView;
use crate::store::Store;

/// What was on disk at one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) live: LiveView,
    pub(super) chain: Chain,
    pub(super) view: View,
}

impl Look {
    /// Takes a look on behalf of a recovery that has delivered everything before the epoch `from`.
    ///
    /// Dealing publishes an index's segment, then moves the checkpoint, then the raw files; so looking in the opposite
    /// order sees each record at least once. The deletion is read behind the segments, because the cleaner
    /// removes them only after it was published.
    pub(super) async fn take<D: Disk>(
        store: &Store<D>,
        code: &IndexCode,
        from: Epoch,
    ) -> Result<Self, ReadError> {
        let mut deletion = deletions::load_one(store, code).await?;
        let look = async || {
            let early = or_bug!(LookReversed, None, Some(dealt(store, code, deletion).await?));
            // What was just written is in the page cache, and must not be driven out to the drive by reading it.
            let live = LiveView::look(store, Transfer::Cached).await?;
            let found = dealt(store, code, deletion).await?;
            let (next_to_deal, chain) = early.unwrap_or(found);
            let stretches = stretches(store, code, &chain, from).await?;
            let known = std::mem::replace(&mut deletion, deletions::load_one(store, code).await?);
            // The segments were seen by the light of another deletion, or one has gone meanwhile.
            let Some(stretches) = stretches.filter(|_| known == deletion) else { return Ok(None) };
            let superseded = chain.superseded.iter().copied();
            let mut optimized: Vec<_> =
                superseded.filter(|name| name.kind == SegmentKind::Optimized).collect();
            optimized.extend(chain.optimized.map(|segment| segment.name));
            let cleaned = optimized.iter().filter_map(|name| cleaned(&chain, *name, next_to_deal)).max();
            let deletion = deletion.unwrap_or(Position::ZERO);
            let view = View { next_to_deal, stretches, optimized, cleaned, deletion };
            Ok::<_, ReadError>(Some(Self { live, chain, view }))
        };
        let look = store.settle(&store.layout().index(code), look).await?;
        look.chain.whole().map_err(ReadError::Gone)?;
        Ok(look)
    }
}

/// The next epoch to be dealt, then the segments of those before it.
async fn dealt<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    deletion: Option<Position>,
) -> Result<(Epoch, Chain), ReadError> {
    let next_to_deal = Checkpoint::read(store).await?.next()?;
    let bounds = Bounds { checkpoint: next_to_deal, deletion };
    Ok((next_to_deal, IndexStore::new(store, code, bounds).chain().await?))
}

/// The sorted and unsorted segments by time, as far as they can matter behind `from`; `None` if one has gone.
async fn stretches<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    chain: &Chain,
    from: Epoch,
) -> Result<Option<Vec<Stretch>>> {
    let mut stretches: Vec<Stretch> = chain.following().map(stretch).collect();
    // What the newest optimized segment covers matters only to a recovery that began with an older one.
    if chain.optimized.is_some_and(|optimized| optimized.inferred || optimized.epochs.last >= from) {
        for &name in chain.superseded.iter().filter(|name| name.kind == SegmentKind::Sorted) {
            let Some(segment) = describe(store, code, name).await? else { return Ok(None) };
            stretches.push(stretch(&segment));
        }
        stretches.sort_by_key(|stretch| (stretch.name.time, stretch.name.kind, stretch.name.records));
    }
    Ok(Some(stretches))
}

/// The last epoch of which stretches may have been removed because `optimized` covers them; `None` if none was.
///
/// Of all that an optimized segment covers, the cleaner removes the last one first, whose time it has; then the
/// rest, and with it optimized segments before it. So as long as each optimized segment has its
/// namesake, everything is there.
fn cleaned(chain: &Chain, optimized: SegmentName, next_to_deal: Epoch) -> Option<Epoch> {
    let following = chain.following().map(|segment| segment.name);
    let superseded = chain.superseded.iter().copied();
    let stretches = following.chain(superseded).filter(|name| name.kind != SegmentKind::Optimized);
    let (mut namesake, mut behind) = (false, next_to_deal);
    for name in stretches {
        namesake |= name.kind == SegmentKind::Sorted && name.time == optimized.time;
        if name.time > optimized.time {
            behind = behind.min(name.time);
        }
    }
    // What an optimized segment without sidecar covers is not known but by what is behind it.
    (!namesake).then(|| Epoch::new(behind.millis().saturating_sub(1)).unwrap_or(Epoch::ZERO))
}

fn stretch(segment: &ChainSegment) -> Stretch {
    Stretch { name: segment.name, last: (!segment.inferred).then_some(segment.epochs.last) }
}
